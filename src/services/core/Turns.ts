/**
 * How long work takes turns with everything else in the process. One connection, one request or one push of statistics can
 * bring work for seconds: code that does such work asks `isOver` every few hundred steps, and waits for `next` when it is.
 *
 * `next` completes in a later round of Node's event loop, after the sockets have been polled. A microtask, or Effect's own
 * yield, is not enough: Effect runs all fibers that have yielded in one `setImmediate`, however many there are and however
 * long each takes, before any socket is read. Here they share one time per round and are served in the order of their
 * waiting.
 */
import { Context, Effect } from "effect"
import { performance } from "node:perf_hooks"

export interface Turns {
  /**
   * Whether long work has used up its time in this round of the event loop, of all connections together. Reads the clock: call it
   * every few hundred steps, not in every step.
   */
  readonly isOver: () => boolean
  /** Completes when it is this work's turn again. Sockets and timers have been served meanwhile. */
  readonly next: Effect.Effect<void>
}

/**
 * Time for long work in one round, in ms. A round has two such times at most, one while sockets are read and one for the work
 * that waits: another client waits for about 10 ms. Half of it costs 1 % of the throughput of a connection that is never
 * idle; double it shows in the latency of others.
 */
const turnMillis = 5

/** Turns on Node's event loop. */
class EventLoopTurns implements Turns {
  private startedAt: number | undefined
  private isScheduled = false
  private waiting: Array<() => void> = []

  readonly isOver = (): boolean => {
    const now = performance.now()
    if (this.startedAt !== undefined) return now - this.startedAt >= turnMillis
    this.startedAt = now
    this.schedule()
    return false
  }

  readonly next: Effect.Effect<void> = Effect.callback((resume) => {
    const go = (): void => resume(Effect.void)
    this.waiting.push(go)
    this.schedule()
    return Effect.sync(() => {
      const index = this.waiting.indexOf(go)
      if (index >= 0) this.waiting.splice(index, 1)
    })
  })

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(this.startRound)
  }

  /** An immediate that is set while immediates run comes in the next round, after the poll for sockets. */
  private readonly startRound = (): void => {
    this.isScheduled = false
    this.startedAt = undefined
    // Work that waits again while this runs goes to the end, and has its turn in a later round.
    for (let left = this.waiting.length; left > 0 && this.waiting.length > 0 && !this.isOver(); left--) {
      this.waiting.shift()?.()
    }
    if (this.waiting.length > 0) this.schedule()
  }
}

/** Work never has to wait: where time stands still, nothing takes long. */
export const unlimited: Turns = { isOver: () => false, next: Effect.void }

/** The turns on Node's event loop, of everything in the process. */
export const onEventLoop: Turns = new EventLoopTurns()

/** How long work takes turns. Default: `onEventLoop`. */
export const Turns: Context.Reference<Turns> = Context.Reference<Turns>("effect-nsq/Turns", {
  defaultValue: () => onEventLoop
})

/** The result of work that is done step by step; its steps are short, and between any two of them its turn may end. */
export const finish = <A>(turns: Turns, work: Iterator<void, A, void>): Effect.Effect<A> => {
  const go: Effect.Effect<A> = Effect.suspend(() => {
    let step = work.next()
    while (step.done !== true && !turns.isOver()) step = work.next()
    return step.done === true ? Effect.succeed(step.value) : Effect.andThen(turns.next, go)
  })
  return go
}

/** The items as `f` maps them; each is mapped in a short time, and between any two of them its turn may end. */
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
