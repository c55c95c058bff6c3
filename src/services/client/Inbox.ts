/**
 * Queue between the sockets and the fibers that handle messages. Unlike Effect's Queue it gives a fiber that takes again its
 * next message without a switch, so that the acknowledgements of a whole read go out together.
 *
 * Hot path: no fiber is woken per message, only one per message that a fiber waits for.
 */
import { Cause, Effect } from "effect"
import { Line } from "./Line.ts"

type Taker<A> = (effect: Effect.Effect<A, Cause.Done>) => void

export class Inbox<A> {
  private readonly items = new Line<A>()
  private takers: Array<Taker<A>> = []
  private ended = false

  push(item: A): void {
    this.items.push(item)
  }

  /** Gives pushed items to waiting fibers, which may run at once. */
  deliver(): void {
    while (this.takers.length > 0) {
      const item = this.items.take()
      if (item === undefined) return
      this.takers.shift()?.(Effect.succeed(item))
    }
  }

  /** The next item. Fails with Done after `end`, once the queue is empty. */
  readonly take: Effect.Effect<A, Cause.Done> = Effect.suspend(() => {
    const item = this.items.take()
    return item === undefined ? this.wait : Effect.succeed(item)
  })

  private readonly wait: Effect.Effect<A, Cause.Done> = Effect.callback((resume) => {
    if (this.ended) return resume(Effect.fail(Cause.Done()))
    this.takers.push(resume)
    return Effect.sync(() => {
      this.takers = this.takers.filter((taker) => taker !== resume)
    })
  })

  /** All queued items; waits for at least one. */
  readonly takeAll: Effect.Effect<[A, ...Array<A>], Cause.Done> = Effect.map(
    this.take,
    (first) => [first, ...this.clear()]
  )

  /** Removes and returns all queued items. */
  clear(): Array<A> {
    const left: Array<A> = []
    for (let item = this.items.take(); item !== undefined; item = this.items.take()) left.push(item)
    return left
  }

  /** Accepts no more items; queued ones can still be taken. */
  end(): void {
    this.ended = true
    for (const taker of this.takers.splice(0)) taker(Effect.fail(Cause.Done()))
  }
}
