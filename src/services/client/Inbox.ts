/**
 * Queue between the sockets and the fibers that handle messages. Unlike Effect's Queue it gives a fiber that takes again its
 * next message without a switch, so that the acknowledgements of a whole read go out together.
 *
 * Hot path: no fiber is woken per message, only one per message that a fiber waits for.
 */
import { Cause, Effect } from "effect"
import { Line } from "./Line.ts"

/** Takes items for a fiber. */
export interface Taker<A> {
  /** Whether it takes no more items. */
  readonly retired: boolean
  /** Called when the fiber asks for the next item. */
  readonly begin: () => void
  /** Called in the same moment in which the item leaves the queue, so that an interruption loses none. */
  readonly accept: (item: A) => void
}

interface Waiting<A> {
  readonly taker: Taker<A>
  readonly resume: (effect: Effect.Effect<A, Cause.Done>) => void
}

const done = Effect.fail(Cause.Done())

export class Inbox<A> {
  private readonly items = new Line<A>()
  private waiting: Array<Waiting<A>> = []
  /** Whether it accepts no more items. */
  ended = false

  push(item: A): void {
    this.items.push(item)
  }

  /** Gives pushed items to waiting fibers, which may run at once. */
  deliver(): void {
    while (this.waiting.length > 0) {
      const item = this.items.take()
      if (item === undefined) return
      const next = this.waiting.shift()
      next?.taker.accept(item)
      next?.resume(Effect.succeed(item))
    }
  }

  /** The next item for a taker. Fails with Done once the taker has retired, or after `end` once the queue is empty. */
  take(taker: Taker<A>): Effect.Effect<A, Cause.Done> {
    const wait = this.wait(taker)
    return Effect.suspend(() => {
      taker.begin()
      if (taker.retired) return done
      const item = this.items.take()
      if (item === undefined) return wait
      taker.accept(item)
      return Effect.succeed(item)
    })
  }

  /** Gives the taker a queued item. Returns false if the queue is empty. */
  takeNow(taker: Taker<A>): boolean {
    const item = this.items.take()
    if (item === undefined) return false
    taker.accept(item)
    return true
  }

  private wait(taker: Taker<A>): Effect.Effect<A, Cause.Done> {
    return Effect.callback((resume) => {
      if (this.ended) return resume(done)
      this.waiting.push({ taker, resume })
      return Effect.sync(() => {
        this.waiting = this.waiting.filter((waiting) => waiting.resume !== resume)
      })
    })
  }

  /** Ends the wait of takers that have retired. */
  releaseRetired(): void {
    const retired = this.waiting.filter(({ taker }) => taker.retired)
    this.waiting = this.waiting.filter(({ taker }) => !taker.retired)
    for (const { resume } of retired) resume(done)
  }

  /** Iterates over the queued items. */
  [Symbol.iterator](): Iterator<A> {
    return this.items[Symbol.iterator]()
  }

  /** Removes and returns all queued items. */
  clear(): Array<A> {
    const left: Array<A> = []
    for (let item = this.items.take(); item !== undefined; item = this.items.take()) left.push(item)
    return left
  }

  /** Accepts no more items; queued ones can still be taken. */
  end(): void {
    this.ended = true
    for (const { resume } of this.waiting.splice(0)) resume(done)
  }
}
