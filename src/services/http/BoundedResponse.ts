/**
 * Reads responses of untrusted servers, up to a limit for each response and a multiple of it for all responses to one question,
 * because one host can pose as many servers.
 */
import { Context, Effect, Stream } from "effect"
import type { HttpClientError, HttpClientResponse } from "effect/http"
import { HttpErrorReason } from "./HttpError.ts"

/** The limit for all responses to one question, as a multiple of the limit for one response. */
const maxLargest = 4

/** The number of bytes of all responses to one question so far. Default: counts each response separately. */
export const Budget = Context.Reference<{ used: number } | undefined>("effect-nsq/cluster/BoundedResponse/Budget", {
  defaultValue: () => undefined
})

type TooLarge = Extract<HttpErrorReason, { readonly _tag: "ResponseTooLarge" }>

/** Returns the body of a response of at most `max` bytes, 0 for no limit; `option` is the flag that sets the limit. */
export const bytes = (
  response: HttpClientResponse.HttpClientResponse,
  max: number,
  option: string
): Effect.Effect<Buffer, TooLarge | HttpClientError.HttpClientError> =>
  Effect.gen(function*() {
    const budget = (yield* Budget) ?? { used: 0 }
    const chunks: Array<Uint8Array> = []
    let size = 0
    const refuse = (description: string) => Effect.fail(HttpErrorReason.ResponseTooLarge({ description, option }))
    yield* Stream.runForEach(response.stream, (chunk) => {
      size += chunk.length
      budget.used += chunk.length
      chunks.push(chunk)
      if (max <= 0) return Effect.void
      if (size > max) return refuse(`the response has more than ${max} bytes`)
      return budget.used > maxLargest * max
        ? refuse(`the responses of all daemons have more than ${maxLargest} x ${max} bytes`)
        : Effect.void
    }).pipe(
      // `fetch` has no stream for statuses without a body.
      Effect.catchReason("HttpClientError", "EmptyBodyError", () => Effect.void)
    )
    return Buffer.concat(chunks)
  })

/** Whether the response announces a body of at most `max` bytes. The announced length counts only if the body is not encoded. */
const isShort = ({ headers, status }: HttpClientResponse.HttpClientResponse, max: number): boolean =>
  status === 204 || (headers["content-encoding"] === undefined && Number(headers["content-length"] ?? NaN) <= max)

/**
 * Reads the body to its end, so that the connection can be reused, and discards it. Closes the connection of a body with more
 * than `max` bytes. Never fails. A short body of announced length is read without a Stream, which is cheaper.
 */
export const discard = (response: HttpClientResponse.HttpClientResponse, max: number): Effect.Effect<void> =>
  isShort(response, max) ? Effect.ignore(response.arrayBuffer) : Effect.ignore(bytes(response, max, ""))
