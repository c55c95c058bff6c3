/** Decodes the JSON of requests to nsqadmin's API, with NSQ's errors. */
import { Effect, Schema, SchemaIssue } from "effect"
import { HttpServerRequest } from "effect/http"
import { BadRequest, type InternalError } from "../../protocol/http/admin/AdminFailure.ts"

const issueText = SchemaIssue.makeFormatterDefault()

/** Default limit for request bodies, in bytes. */
const defaultMaxBytes = 1024 * 1024

/**
 * Decodes the JSON body of the request. Ignores its content type, because scripts send curl's default. Fails with a 400 and the
 * error; `EOF` for an empty body. Limit: `maxBytes`, default 1 MiB.
 */
export const decode = <A, I>(
  schema: Schema.Codec<A, I>,
  maxBytes = defaultMaxBytes
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
