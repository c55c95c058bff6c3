/**
 * The common part of the tools that forward messages: a message is finished after the destination has taken it, and requeued
 * otherwise.
 */
import { Clock, Effect, Fiber, Random, type Scope } from "effect"
import type { Headers } from "../../protocol/client/Headers.ts"
import type { Consumer } from "../client/index.ts"
import * as Time from "../core/Time.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import * as AddressPool from "./AddressPool.ts"
import * as Timings from "./Timings.ts"

/** Options of tools that forward messages. */
export interface ForwardingOptions {
  /** Rule to choose an address; see `AddressPool`. */
  readonly mode: string
  /** Messages between two timing lines; 0 for no lines. */
  readonly statusEvery: number
}

/** The flags of `ForwardingOptions`. */
export const table = {
  mode: row(
    "mode",
    Kind.string,
    () => "hostpool",
    "how to choose among several addresses: round-robin, hostpool or epsilon-greedy"
  ),
  statusEvery: row(
    "status-every",
    Kind.count,
    () => 250,
    "messages between two lines with response times (0 for no lines)"
  )
}

/** Sends a message to the destination with this index. */
type Attempt<E, R> = (index: number) => Effect.Effect<void, E, R>

/** Destinations of messages. */
export interface Destinations {
  /**
   * Sends to the chosen destination, and to another one after an error for which `isForAnother` holds, until each has been
   * tried.
   */
  readonly toOne: <E, R>(
    attempt: Attempt<E, R>,
    isForAnother?: (error: E) => boolean
  ) => Effect.Effect<void, E, R>
  /** Sends to all destinations in sequence until one fails. */
  readonly toAll: <E, R>(attempt: Attempt<E, R>) => Effect.Effect<void, E, R>
}

/** Creates destinations that are chosen by the mode and log their response times. */
export const destinations = Effect.fnUntraced(function*(
  options: ForwardingOptions,
  addresses: ReadonlyArray<string>
): Effect.fn.Return<Destinations> {
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const now = Time.fromClock(clock).monotonicMillis
  const choose = AddressPool.make(options.mode, addresses, { now, random: () => random.nextDoubleUnsafe() })
  const status = yield* Timings.make(options.statusEvery, addresses)

  /** Returns the next choice that has not been tried, or `undefined` if the mode offers none. */
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
 * Forwards messages until the consumer stops, `concurrency` at a time. An interruption stops the consumer and waits for the
 * messages in flight.
 */
export const run = Effect.fnUntraced(function*<E extends { readonly message: string }>(
  consumer: Consumer.Consumer<Uint8Array>,
  concurrency: number,
  handOn: (body: Uint8Array, headers: Headers) => Effect.Effect<void, E>
): Effect.fn.Return<void, never, Scope.Scope> {
  const handling = yield* Effect.forkScoped(consumer.run(
    (body, delivery) =>
      Effect.catch(handOn(body, delivery.headers), ({ message }: E) =>
        Effect.andThen(
          Effect.logError(`Handler returned error (${message}) for msg ${delivery.id}`),
          delivery.requeue()
        )),
    { concurrency }
  ))
  yield* Effect.onInterrupt(Fiber.join(handling), () => consumer.stop)
})
