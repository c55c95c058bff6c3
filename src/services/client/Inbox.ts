/**
 * Messages between the sockets they come from and the fibers that handle them. Other than Effect's Queue it gives a fiber that
 * comes back at once the next message at once, so that the answers of a whole read go out together.
 *
 * Hot path: no fiber is woken per message, only one per message that somebody waits for.
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

  /** Hands what has been pushed to those who wait. They may run at once. */
  deliver(): void {
    while (this.takers.length > 0) {
      const item = this.items.take()
      if (item === undefined) return
      this.takers.shift()?.(Effect.succeed(item))
    }
  }

  /** The next item; fails once there will be none. */
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

  /** At least one item, and all others that are there. */
  readonly takeAll: Effect.Effect<[A, ...Array<A>], Cause.Done> = Effect.map(
    this.take,
    (first) => [first, ...this.clear()]
  )

  /** Takes what nobody has taken. */
  clear(): Array<A> {
    const left: Array<A> = []
    for (let item = this.items.take(); item !== undefined; item = this.items.take()) left.push(item)
    return left
  }

  /** Nothing more will come; what is there can still be taken. */
  end(): void {
    this.ended = true
    for (const taker of this.takers.splice(0)) taker(Effect.fail(Cause.Done()))
  }
}
