/**
 * Reads responses of servers that are not trusted: never more than a limit of each, nor than a multiple of it of all servers that
 * are asked the same question, because anybody may make himself many of them.
 */
import { Context, Data, Effect, Stream } from "effect"
import type { HttpClientError, HttpClientResponse } from "effect/http"

/** The response is larger than it may be. */
export class ResponseTooLarge extends Data.TaggedError("ResponseTooLarge")<{ readonly message: string }> {}

/** How many of the largest responses one question may have together. */
const maxLargest = 4

/** The bytes that the responses to one question have together so far; each response for itself unless provided. */
export const Budget = Context.Reference<{ used: number } | undefined>("effect-nsq/cluster/BoundedResponse/Budget", {
  defaultValue: () => undefined
})

/** The body of a response of at most `max` bytes, 0 for no limit; `option` is what changes the limit. */
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

/** The same as text. */
export const text = (
  response: HttpClientResponse.HttpClientResponse,
  max: number,
  option: string
): Effect.Effect<string, ResponseTooLarge | HttpClientError.HttpClientError> =>
  Effect.map(bytes(response, max, option), (body) => body.toString())
