/**
 * What the utilities share that hand messages on to somewhere else: a message is finished once that has taken it, and comes
 * again when it has not.
 */
import { Clock, Effect, Fiber, Random, type Scope } from "effect"
import type { Consumer } from "../client/index.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionTable.ts"
import * as AddressPool from "./AddressPool.ts"
import * as Timings from "./Timings.ts"

/** The flags of utilities that hand messages on. */
export interface ForwardingOptions {
  readonly mode: string
  readonly statusEvery: number
}

export const table = {
  mode: row(
    "mode",
    Kind.string,
    () => "hostpool",
    "how to choose among several addresses: round-robin, hostpool or epsilon-greedy"
  ),
  statusEvery: row("status-every", Kind.int, () => 250, "messages between two lines on how long they take (0 for none)")
}

/** An attempt to hand a message on. */
type Attempt<E, R> = (index: number) => Effect.Effect<void, E, R>

export interface Destinations {
  /** To the one that is chosen; to another one after an error for which `isForAnother` holds, while there are any. */
  readonly toOne: <E, R>(
    attempt: Attempt<E, R>,
    isForAnother?: (error: E) => boolean
  ) => Effect.Effect<void, E, R>
  /** To all, one after the other, until one fails. */
  readonly toAll: <E, R>(attempt: Attempt<E, R>) => Effect.Effect<void, E, R>
}

/** Chooses among addresses and says how long they take. */
export const destinations = Effect.fnUntraced(function*(
  options: ForwardingOptions,
  addresses: ReadonlyArray<string>
): Effect.fn.Return<Destinations> {
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
  const choose = AddressPool.make(options.mode, addresses, { now, random: () => random.nextDoubleUnsafe() })
  const status = yield* Timings.make(options.statusEvery, addresses)

  /** The next choice that has not been tried, `undefined` where the mode offers none. */
  const chooseOther = (tried: ReadonlySet<number>): AddressPool.Choice | undefined => {
    for (let i = 0; i < addresses.length; i++) {
      const choice = choose()
      if (!tried.has(choice.index)) return choice
    }
    return undefined
  }

  const tryOne = <E, R>(
    choice: AddressPool.Choice,
    attempt: Attempt<E, R>,
    isForAnother: (error: E) => boolean,
    tried: ReadonlySet<number>
  ): Effect.Effect<void, E, R> => {
    const started = now()
    const { index, mark } = choice
    return attempt(index).pipe(
      Effect.tapCause(() => Effect.sync(() => mark(false))),
      Effect.andThen(Effect.suspend(() => {
        mark(true)
        const millis = now() - started
        return Effect.andThen(status.note(index, millis), status.noteAll(millis))
      })),
      Effect.catch((error) => {
        const known = new Set(tried).add(index)
        const other = isForAnother(error) && known.size < addresses.length ? chooseOther(known) : undefined
        return other === undefined ? Effect.fail(error) : tryOne(other, attempt, isForAnother, known)
      })
    )
  }

  return {
    toOne: (attempt, isForAnother = () => false) =>
      Effect.suspend(() => tryOne(choose(), attempt, isForAnother, new Set())),
    toAll: (attempt) =>
      Effect.suspend(() => {
        const started = now()
        const one = (_: string, index: number) =>
          Effect.suspend(() => {
            const began = now()
            return Effect.andThen(attempt(index), Effect.suspend(() => status.note(index, now() - began)))
          })
        return Effect.andThen(
          Effect.forEach(addresses, one, { discard: true }),
          Effect.suspend(() => status.noteAll(now() - started))
        )
      })
  }
})

/**
 * Hands messages on until the consumer stops, `concurrency` at a time. When this is interrupted no more are taken, and those
 * under way are waited for.
 */
export const run = Effect.fnUntraced(function*<E extends { readonly message: string }>(
  consumer: Consumer.Consumer<Uint8Array>,
  concurrency: number,
  handOn: (body: Uint8Array) => Effect.Effect<void, E>
): Effect.fn.Return<void, never, Scope.Scope> {
  const handling = yield* Effect.forkScoped(consumer.run(
    (body, delivery) =>
      Effect.catch(handOn(body), ({ message }: E) =>
        Effect.andThen(
          Effect.logError(`Handler returned error (${message}) for msg ${delivery.id}`),
          delivery.requeue()
        )),
    { concurrency }
  ))
  yield* Effect.onInterrupt(Fiber.join(handling), () => consumer.stop)
})
