/**
 * Reads responses of untrusted servers, up to a limit for each response and a multiple of it for all responses to one question,
 * because one host can pose as many servers.
 */
import { Context, Data, Effect, Stream } from "effect"
import type { HttpClientError, HttpClientResponse } from "effect/http"

/** The response exceeds the limit. */
export class ResponseTooLarge extends Data.TaggedError("ResponseTooLarge")<{ readonly message: string }> {}

/** The limit for all responses to one question, as a multiple of the limit for one response. */
const maxLargest = 4

/** The number of bytes of all responses to one question so far. Default: counts each response separately. */
export const Budget = Context.Reference<{ used: number } | undefined>("effect-nsq/cluster/BoundedResponse/Budget", {
  defaultValue: () => undefined
})

/** Returns the body of a response of at most `max` bytes, 0 for no limit; `option` is the flag that sets the limit. */
export const bytes = (
  response: HttpClientResponse.HttpClientResponse,
  max: number,
  option: string
): Effect.Effect<Buffer, ResponseTooLarge | HttpClientError.HttpClientError> =>
  Effect.gen(function*() {
    const budget = (yield* Budget) ?? { used: 0 }
    const chunks: Array<Uint8Array> = []
    let size = 0
    const refuse = (what: string) => Effect.fail(new ResponseTooLarge({ message: `${what} bytes (${option})` }))
    yield* Stream.runForEach(response.stream, (chunk) => {
      size += chunk.length
      budget.used += chunk.length
      chunks.push(chunk)
      if (max <= 0) return Effect.void
      if (size > max) return refuse(`the response has more than ${max}`)
      return budget.used > maxLargest * max
        ? refuse(`the responses of all daemons have more than ${maxLargest} x ${max}`)
        : Effect.void
    })
    return Buffer.concat(chunks)
  })

/** Returns the body as a string; see `bytes`. */
export const text = (
  response: HttpClientResponse.HttpClientResponse,
  max: number,
  option: string
): Effect.Effect<string, ResponseTooLarge | HttpClientError.HttpClientError> =>
  Effect.map(bytes(response, max, option), (body) => body.toString())
