/**
 * Requests to many daemons at once, with bounded concurrency. NSQ's rule (docs/protocol/http.md#nsqadmin-requests): if some
 * daemons fail, the results of the others count, together with a warning; if all fail, or the list is empty, the query fails.
 */
import { Effect, Fiber, Result, Semaphore } from "effect"
import * as BoundedResponse from "../http/BoundedResponse.ts"
import type { HttpError } from "../http/HttpError.ts"
import { ClusterError, ClusterErrorReason, type Kind } from "./ClusterError.ts"

/** The number of concurrent requests: large enough that a few unresponsive daemons do not delay all others. */
const concurrency = 64

/** The result of a query, and the errors of the daemons that failed. */
export interface Gathered<A> {
  readonly value: A
  readonly failures: ReadonlyArray<HttpError>
}

/**
 * Runs `request` for each daemon and returns the successes in the order of `daemons`. `kind` names the daemons in the error.
 */
export const query = <A, B>(
  daemons: ReadonlyArray<A>,
  kind: Kind,
  request: (daemon: A) => Effect.Effect<B, HttpError>
): Effect.Effect<Gathered<ReadonlyArray<B>>, ClusterError> =>
  Effect.flatMap(
    Effect.suspend(() =>
      Effect.forEach(daemons, (daemon) => Effect.result(request(daemon)), { concurrency }).pipe(
        Effect.provideService(BoundedResponse.Budget, { used: 0 })
      )
    ),
    (results) => {
      const value = results.filter(Result.isSuccess).map(({ success }) => success)
      const failures = results.filter(Result.isFailure).map(({ failure }) => failure)
      return value.length > 0
        ? Effect.succeed({ value, failures })
        : Effect.fail(new ClusterError({ reason: ClusterErrorReason.QueryFailure({ kind, failures }) }))
    }
  )

/** Time after which a daemon that has not responded makes room for the next. */
const placeTime = "250 millis"

/**
 * The same with two daemons at a time, for long responses: while one daemon writes its response, that of another is decoded. All at once
 * would write many megabytes at one moment, in which other requests take long.
 */
export const queryInPairs = <A, B>(
  daemons: ReadonlyArray<A>,
  kind: Kind,
  request: (daemon: A) => Effect.Effect<B, HttpError>
): Effect.Effect<Gathered<ReadonlyArray<B>>, ClusterError> =>
  Effect.flatMap(Semaphore.make(2), (places) =>
    query(daemons, kind, (daemon) =>
      Effect.gen(function*() {
        yield* places.take(1)
        const occupying = yield* Effect.forkChild(
          Effect.ensuring(Effect.sleep(placeTime), places.release(1)),
          { startImmediately: true }
        )
        return yield* Effect.ensuring(request(daemon), Fiber.interrupt(occupying))
      })))

/** Runs `act` on each daemon and returns the errors. Daemons are addressed concurrently; NSQ addresses one after another. */
export const order = <A>(
  daemons: ReadonlyArray<A>,
  act: (daemon: A) => Effect.Effect<void, HttpError>
): Effect.Effect<ReadonlyArray<HttpError>> =>
  Effect.map(
    Effect.forEach(daemons, (daemon) => Effect.result(act(daemon)), { concurrency }),
    (results) => results.filter(Result.isFailure).map(({ failure }) => failure)
  )

/** Transforms the value and keeps the errors. */
export const map = <A, B>({ failures, value }: Gathered<A>, f: (value: A) => B): Gathered<B> => ({
  failures,
  value: f(value)
})
