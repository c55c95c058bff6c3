/**
 * Converts results of cluster queries and actions to responses of nsqadmin's API (docs/protocol/http.md#nsqadmin-requests): the
 * result with a warning that lists the daemons that failed, or a 502 if all failed. Logs every failure.
 */
import { Effect, Schema, SchemaIssue } from "effect"
import { HttpServerRequest } from "effect/http"
import { BadRequest, type InternalError, UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import * as Gathered from "../cluster/Gathered.ts"
import type { DaemonError } from "../http/DaemonHttp.ts"

/** Returns the `message` of a response: empty, or a warning with one line per failure; `; ` separates the steps. */
export const warning = (...steps: ReadonlyArray<ReadonlyArray<DaemonError>>): string => {
  const failed = steps.filter((failures) => failures.length > 0).map(Gathered.reasons)
  return failed.length === 0 ? "" : `WARNING: ${failed.join("; ")}`
}

/** Runs a query and logs its failures. Fails with a 502 if the query fails. `what` completes `failed to` in the log line. */
export const asked = <A, R>(
  what: string,
  question: Effect.Effect<Gathered.Gathered<A>, Gathered.ClusterError, R>
): Effect.Effect<Gathered.Gathered<A>, UpstreamError, R> =>
  upstream(what, question).pipe(Effect.tap(({ failures }) => logFailures(failures)))

/** Runs an action, logs its failures and returns its warning. Fails with a 502 if the action fails. */
export const acted = <R>(
  what: string,
  action: Effect.Effect<ReadonlyArray<DaemonError>, Gathered.ClusterError, R>
): Effect.Effect<{ readonly message: string }, UpstreamError, R> =>
  upstream(what, action).pipe(
    Effect.tap(logFailures),
    Effect.map((failures) => ({ message: warning(failures) }))
  )

const logFailures = (failures: ReadonlyArray<DaemonError>): Effect.Effect<void> =>
  failures.length === 0 ? Effect.void : Effect.logWarning(Gathered.reasons(failures))

const upstream = <A, R>(
  what: string,
  effect: Effect.Effect<A, Gathered.ClusterError, R>
): Effect.Effect<A, UpstreamError, R> =>
  Effect.catch(effect, ({ message }) =>
    Effect.andThen(
      Effect.logError(`failed to ${what} - ${message}`),
      Effect.fail(UpstreamError.make({ message: `UPSTREAM_ERROR: ${message}` }))
    ))

const issueText = SchemaIssue.makeFormatterDefault()

/** Default limit for request bodies, in bytes. */
const maxBodyBytes = 1024 * 1024

/**
 * Decodes the JSON body of the request. Ignores its content type, because scripts send curl's default. Fails with a 400 and the
 * error; `EOF` for an empty body. Limit: `maxBytes`, default 1 MiB.
 */
export const body = <A, I>(
  schema: Schema.Codec<A, I>,
  maxBytes = maxBodyBytes
): Effect.Effect<A, BadRequest | InternalError, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const bad = (message: string) => BadRequest.make({ message })
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
      return yield* Effect.fail(bad(`request body too large: the limit is ${maxBytes} bytes`))
    }
    const text = yield* Effect.mapError(request.text, () => bad("failed to read the request body"))
    if (text.trim() === "") return yield* Effect.fail(bad("EOF"))
    return yield* Schema.decodeEffect(Schema.fromJsonString(schema))(text).pipe(
      Effect.mapError(({ issue }) => bad(issueText(issue)))
    )
  })
