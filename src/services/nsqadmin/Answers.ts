/**
 * How nsqadmin's API puts what the cluster said into an answer (section 2 of the nsqadmin notes): what is known together with a
 * warning of who did not answer, or a 502 when nobody did. All of it is logged.
 */
import { Effect, Schema, SchemaIssue } from "effect"
import { HttpServerRequest } from "effect/http"
import { BadRequest, type InternalError, UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import * as Gathered from "../cluster/Gathered.ts"
import type { DaemonError } from "../http/DaemonHttp.ts"

/** The `message` of an answer: a warning, or nothing. Each step's failures are a line each. */
export const warning = (...steps: ReadonlyArray<ReadonlyArray<DaemonError>>): string => {
  const failed = steps.filter((failures) => failures.length > 0).map(Gathered.reasons)
  return failed.length === 0 ? "" : `WARNING: ${failed.join("; ")}`
}

/** Logs whom a question did not reach; when it reached nobody, that is the answer. `what` completes `failed to`. */
export const asked = <A, R>(
  what: string,
  question: Effect.Effect<Gathered.Gathered<A>, Gathered.ClusterError, R>
): Effect.Effect<Gathered.Gathered<A>, UpstreamError, R> =>
  upstream(what, question).pipe(Effect.tap(({ failures }) => logFailures(failures)))

/** The same for an action; answers its warning. */
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

/** A larger body is none of ours, unless said otherwise. */
const maxBodyBytes = 1024 * 1024

/**
 * The JSON body of the request, whatever type it says it has: scripts send it with curl's. What is wrong with it is the answer,
 * `EOF` for an empty one.
 */
export const body = <A, I>(
  schema: Schema.Codec<A, I>,
  maxBytes = maxBodyBytes
): Effect.Effect<A, BadRequest | InternalError, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const bad = (message: string) => BadRequest.make({ message })
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) {
      return yield* Effect.fail(bad("the body is too large"))
    }
    const text = yield* Effect.mapError(request.text, () => bad("the body could not be read"))
    if (text.trim() === "") return yield* Effect.fail(bad("EOF"))
    return yield* Schema.decodeEffect(Schema.fromJsonString(schema))(text).pipe(
      Effect.mapError(({ issue }) => bad(issueText(issue)))
    )
  })
