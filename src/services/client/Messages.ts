/**
 * The Stream of a consumer whose program acknowledges messages itself. Messages with too many deliveries and undecodable bodies
 * are dealt with as in `run`, and are not part of it.
 */
import { type Cause, Effect, Exit, Stream } from "effect"
import type { Delivery } from "./Delivery.ts"
import type { Draining } from "./Draining.ts"
import type { Handling } from "./Handling.ts"
import type { Held } from "./Held.ts"
import type { Inbox, Taker } from "./Inbox.ts"

/** Returns the Stream of the messages in the inbox. */
export const make = <A, R>(
  inbox: Inbox<Held<A>>,
  handling: Handling<A, R>,
  draining: Draining<A>
): Stream.Stream<Delivery<A>> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(Effect.sync(() => draining.enterReader()), () => Effect.sync(() => draining.leaveReader())),
      () => Stream.fromPull(Effect.sync(() => pull(inbox, handling)))
    )
  )

const pull = <A, R>(
  inbox: Inbox<Held<A>>,
  handling: Handling<A, R>
): Effect.Effect<readonly [Delivery<A>, ...Array<Delivery<A>>], Cause.Done> => {
  let taken: Array<Held<A>> = []
  const taker: Taker<Held<A>> = {
    retired: false,
    begin: () => {},
    accept: (delivery) => void taken.push(delivery)
  }

  /** Removes the messages that are not to be processed. */
  const choose = Effect.fnUntraced(function*() {
    const chosen: Array<Held<A>> = []
    for (const delivery of taken) {
      if (!handling.begin(delivery)) {
        yield* handling.exhausted(delivery)
        continue
      }
      const { value } = delivery
      // Bodies of bytes need no decoding, and no Effect for each message.
      if (Exit.isExit(value) && Exit.isSuccess(value)) {
        chosen.push(delivery)
        continue
      }
      const decoded = yield* Effect.exit(value)
      delivery.keepValue(decoded)
      if (Exit.isSuccess(decoded)) chosen.push(delivery)
      else yield* handling.undecodable(delivery, decoded.cause)
    }
    return chosen
  })

  const next: Effect.Effect<readonly [Held<A>, ...Array<Held<A>>], Cause.Done> = Effect.gen(function*() {
    while (true) {
      taken = []
      yield* inbox.take(taker)
      while (inbox.takeNow(taker)) { /* all that are queued */ }
      const [first, ...rest] = yield* choose()
      if (first !== undefined) return [first, ...rest] as const
    }
  })
  return Effect.onInterrupt(next, () => Effect.sync(() => taken.forEach((delivery) => delivery.requeueNow())))
}
