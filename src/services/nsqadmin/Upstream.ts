/**
 * Runs the cluster queries and actions of a handler (docs/protocol/http.md#nsqadmin-requests): the response has the result and a
 * warning that lists the daemons that failed, or is a 502 if all failed. Logs the failures that are new: pages repeat their requests
 * while a daemon does not respond, which the sampler logs once.
 */
import { Context, Effect } from "effect"
import type { ActionResponse } from "../../protocol/http/admin/AdminApi.ts"
import { UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import { type ClusterError, reasons } from "../cluster/ClusterError.ts"
import type * as Gathered from "../cluster/Gathered.ts"
import type { HttpError } from "../http/HttpError.ts"

/** Whether an error needs no line in the log. Default: each has one. */
export const IsExpected = Context.Reference<(error: HttpError) => boolean>("effect-nsq/admin/Upstream/IsExpected", {
  defaultValue: () => () => false
})

/** Returns the `message` of a response: empty, or a warning with one line per failure; `; ` separates the steps. */
export const warning = (...steps: ReadonlyArray<ReadonlyArray<HttpError>>): string => {
  const failed = steps.filter((failures) => failures.length > 0).map(reasons)
  return failed.length === 0 ? "" : `WARNING: ${failed.join("; ")}`
}

/** Runs a query and logs its failures. Fails with a 502 if the query fails. `what` completes `failed to` in the log line. */
export const query = <A, R>(
  what: string,
  request: Effect.Effect<Gathered.Gathered<A>, ClusterError, R>
): Effect.Effect<Gathered.Gathered<A>, UpstreamError, R> =>
  withUpstreamError(what, request).pipe(Effect.tap(({ failures }) => logFailures(failures)))

/** Runs an action, logs its failures and returns its warning. Fails with a 502 if the action fails. */
export const act = <R>(
  what: string,
  action: Effect.Effect<ReadonlyArray<HttpError>, ClusterError, R>
): Effect.Effect<ActionResponse, UpstreamError, R> =>
  withUpstreamError(what, action).pipe(
    Effect.tap(logFailures),
    Effect.map((failures) => ({ message: warning(failures) }))
  )

const logFailures = (failures: ReadonlyArray<HttpError>): Effect.Effect<void> =>
  Effect.flatMap(IsExpected, (isExpected) => {
    const unexpected = failures.filter((error) => !isExpected(error))
    return unexpected.length === 0 ? Effect.void : Effect.logWarning(reasons(unexpected))
  })

/** Logs the failure of a single request, unless it is expected. `what` completes `failed to` in the log line. */
export const logFailure = (what: string, error: HttpError): Effect.Effect<void> =>
  Effect.flatMap(
    IsExpected,
    (isExpected) => isExpected(error) ? Effect.void : Effect.logWarning(`failed to ${what} - ${error.message}`)
  )

const withUpstreamError = <A, R>(
  what: string,
  effect: Effect.Effect<A, ClusterError, R>
): Effect.Effect<A, UpstreamError, R> =>
  Effect.catch(effect, ({ message, reason: { failures } }) =>
    Effect.gen(function*() {
      const isExpected = yield* IsExpected
      if (failures.length === 0 || !failures.every(isExpected)) yield* Effect.logError(`failed to ${what} - ${message}`)
      return yield* Effect.fail(UpstreamError.make({ message: `UPSTREAM_ERROR: ${message}` }))
    }))
