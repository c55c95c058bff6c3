/**
 * Lets long work take turns with everything else in the process. One connection, one request or one push of statistics can
 * cause work for seconds: such code calls `isOver` every few hundred steps, and waits for `next` when it returns true.
 *
 * `next` completes in a later round of Node's event loop, after the sockets have been polled. A microtask, or Effect's own
 * yield, is not enough: Effect runs all fibers that have yielded in one `setImmediate`, regardless of their number and of
 * their duration, before any socket is read. Here they share one time slice per round and are served in FIFO order.
 */
import { Context, Effect } from "effect"
import { performance } from "node:perf_hooks"

/** The turns of long work; see the head of this module. */
export interface Turns {
  /**
   * Whether long work has used up the time slice of this round of the event loop, which all connections share. Reads the clock:
   * call it every few hundred steps, not in every step.
   */
  readonly isOver: () => boolean
  /** Completes at the next turn of this work. Sockets and timers have been served in between. */
  readonly next: Effect.Effect<void>
  /** The turns of work for which no client waits: they come after all others. Default: the same turns. */
  readonly background?: Turns
}

/** Returns the turns of work for which no client waits. */
export const inBackground = (turns: Turns): Turns => turns.background ?? turns

/**
 * The time slice for long work in one round, in ms. A round has at most two: one while sockets are read and one for the work
 * that waits, so another client waits for about 10 ms. Half the slice costs 1 % of the throughput of a connection that is
 * never idle; twice the slice shows in the latency of other clients.
 */
const turnMillis = 5

/** Rounds in which work in the background has no turn while other work takes the whole slice. After them it has one. */
const maxPassedOver = 10

/** Turns on Node's event loop. */
class EventLoopTurns implements Turns {
  private startedAt: number | undefined
  private isScheduled = false
  private readonly waiting: Array<() => void> = []
  private readonly inBackground: Array<() => void> = []
  private passedOver = 0

  readonly isOver = (): boolean => {
    const now = performance.now()
    if (this.startedAt !== undefined) return now - this.startedAt >= turnMillis
    this.startedAt = now
    this.schedule()
    return false
  }

  readonly next: Effect.Effect<void> = this.nextOf(this.waiting)

  readonly background: Turns = { isOver: this.isOver, next: this.nextOf(this.inBackground) }

  private nextOf(queue: Array<() => void>): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const go = (): void => resume(Effect.void)
      queue.push(go)
      this.schedule()
      return Effect.sync(() => {
        const index = queue.indexOf(go)
        if (index >= 0) queue.splice(index, 1)
      })
    })
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(this.startRound)
  }

  /** An immediate that is set while immediates run is due in the next round, after the poll for sockets. */
  private readonly startRound = (): void => {
    this.isScheduled = false
    this.startedAt = undefined
    this.serve(this.waiting)
    if (this.inBackground.length > 0) {
      if (this.isOver() && ++this.passedOver > maxPassedOver) this.startedAt = undefined
      if (!this.isOver()) this.passedOver = 0
      this.serve(this.inBackground)
    }
    if (this.waiting.length + this.inBackground.length > 0) this.schedule()
  }

  /** Work that waits again while this runs goes to the end of the queue, and gets its turn in a later round. */
  private serve(queue: Array<() => void>): void {
    for (let left = queue.length; left > 0 && queue.length > 0 && !this.isOver(); left--) queue.shift()?.()
  }
}

/** Turns that never end, for tests with a clock that stands still. */
export const unlimited: Turns = { isOver: () => false, next: Effect.void }

/** The turns on Node's event loop, shared by the whole process. */
export const onEventLoop: Turns = new EventLoopTurns()

/** The turns that long work takes. Default: `onEventLoop`. */
export const Turns: Context.Reference<Turns> = Context.Reference<Turns>("effect-nsq/Turns", {
  defaultValue: () => onEventLoop
})

/**
 * Runs work to its result, step by step. Steps have to be short; a turn can end between any two of them. An interruption ends the work
 * as well: a generator runs its `finally` blocks.
 */
export const finish = <A>(turns: Turns, work: Iterator<void, A, void>): Effect.Effect<A> => {
  /** Works for a turn; `undefined` if it is over before the work is done. */
  const forATurn = (): Effect.Effect<A> | undefined => {
    let step = work.next()
    while (step.done !== true && !turns.isOver()) step = work.next()
    return step.done === true ? Effect.succeed(step.value) : undefined
  }
  const later: Effect.Effect<A> = Effect.andThen(turns.next, Effect.suspend(() => forATurn() ?? later))
  const ended = Effect.sync(() => void work.return?.())
  return Effect.suspend(() => forATurn() ?? Effect.onInterrupt(later, () => ended))
}

/** Maps the items with `f`. Each call has to be short; a turn can end between any two items. */
export const mapEach = <A, B>(turns: Turns, items: ReadonlyArray<A>, f: (item: A) => B): Effect.Effect<Array<B>> => {
  function* steps(): Generator<void, Array<B>, void> {
    const mapped: Array<B> = []
    for (const item of items) {
      mapped.push(f(item))
      yield
    }
    return mapped
  }
  return Effect.suspend(() => finish(turns, steps()))
}
