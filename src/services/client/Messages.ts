/**
 * The Streams of a consumer whose program acknowledges messages itself. Messages with too many deliveries and undecodable bodies
 * are dealt with as in `run`, and are not part of them.
 *
 * Each chunk of a Stream has one element. An operator that ends early drops the rest of a chunk without a trace, and messages that
 * are dropped so would stay in flight; what is still in the inbox is requeued instead.
 */
import { Array as Arr, type Cause, Effect, Exit, Stream } from "effect"
import type { Delivery } from "./Delivery.ts"
import type { Draining } from "./Draining.ts"
import type { Handling } from "./Handling.ts"
import type { Held } from "./Held.ts"
import type { Inbox, Taker } from "./Inbox.ts"

/** Returns the Stream of the messages in the inbox, one by one. */
export const make = <A, R>(
  inbox: Inbox<Held<A>>,
  handling: Handling<A, R>,
  draining: Draining<A>
): Stream.Stream<Delivery<A>> => read(() => new Reader(inbox, handling), draining)

/** Returns the Stream of the messages in the inbox: at each step all that are there. */
export const makeArrays = <A, R>(
  inbox: Inbox<Held<A>>,
  handling: Handling<A, R>,
  draining: Draining<A>
): Stream.Stream<Arr.NonEmptyReadonlyArray<Delivery<A>>> => read(() => new ArrayReader(inbox, handling), draining)

/** One run of a Stream. */
interface Source<B> {
  /** The next element for the program. */
  readonly next: Effect.Effect<readonly [B], Cause.Done>
  /** Requeues what an interruption kept from the program. */
  readonly end: () => void
}

const read = <A, B>(makeSource: () => Source<B>, draining: Draining<A>): Stream.Stream<B> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => {
          draining.enterReader()
          return makeSource()
        }),
        (source) =>
          Effect.sync(() => {
            // Before the requeue, so that the messages do not come back at once.
            draining.leaveReader()
            source.end()
          })
      ),
      ({ next }) => Stream.fromPull(Effect.succeed(next))
    )
  )

/** Returns the message if it is for the program, after it has been dealt with otherwise. */
const choose = <A, R>(handling: Handling<A, R>, held: Held<A>): Held<A> | Effect.Effect<Held<A> | undefined> => {
  if (!handling.begin(held)) return Effect.as(handling.exhausted(held), undefined)
  const { value } = held
  // Bodies of bytes need no decoding, and no Effect for each message.
  if (Exit.isExit(value) && Exit.isSuccess(value)) return held
  return Effect.flatMap(Effect.exit(value), (decoded) => {
    held.keepValue(decoded)
    return Exit.isSuccess(decoded)
      ? Effect.succeed(held)
      : Effect.as(handling.undecodable(held, decoded.cause), undefined)
  })
}

class Reader<A, R> implements Source<Delivery<A>>, Taker<Held<A>> {
  readonly retired = false
  /** The message that has left the inbox and that the program has not received. */
  private current: Held<A> | undefined
  readonly next: Effect.Effect<readonly [Delivery<A>], Cause.Done>

  constructor(inbox: Inbox<Held<A>>, handling: Handling<A, R>) {
    this.next = Effect.flatMap(inbox.take(this), (held) => {
      const chosen = choose(handling, held)
      return Effect.isEffect(chosen)
        ? Effect.flatMap(chosen, (held) => held === undefined ? this.next : this.give(held))
        : this.give(chosen)
    })
  }

  begin(): void {}

  accept(held: Held<A>): void {
    this.current = held
  }

  end(): void {
    this.current?.requeueNow()
  }

  private give(held: Held<A>): Effect.Effect<readonly [Delivery<A>]> {
    this.current = undefined
    return Effect.succeed([held])
  }
}

class ArrayReader<A, R> implements Source<Arr.NonEmptyReadonlyArray<Delivery<A>>>, Taker<Held<A>> {
  readonly retired = false
  private readonly handling: Handling<A, R>
  /** The messages that have left the inbox and that the program has not received. */
  private taken: Array<Held<A>> = []
  readonly next: Effect.Effect<readonly [Arr.NonEmptyReadonlyArray<Delivery<A>>], Cause.Done>

  constructor(inbox: Inbox<Held<A>>, handling: Handling<A, R>) {
    this.handling = handling
    this.next = Effect.flatMap(inbox.take(this), () => {
      while (inbox.takeNow(this)) { /* all that are queued */ }
      return this.chosen()
    })
  }

  begin(): void {}

  accept(held: Held<A>): void {
    this.taken.push(held)
  }

  end(): void {
    for (const held of this.taken) held.requeueNow()
  }

  private readonly chosen = Effect.fnUntraced({ self: this }, function*() {
    const chosen: Array<Held<A>> = []
    for (const held of this.taken) {
      const given = choose(this.handling, held)
      const one = Effect.isEffect(given) ? yield* given : given
      if (one !== undefined) chosen.push(one)
    }
    this.taken = []
    return Arr.isArrayNonEmpty(chosen) ? [chosen] as const : yield* this.next
  })
}
