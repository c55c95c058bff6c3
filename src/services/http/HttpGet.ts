/**
 * Asks another daemon's HTTP API, within limits of time and size. One connection per question: there are few questions, and
 * a connection kept would fail the next one once its peer has closed it.
 */
import { Context, Data, Duration, Effect, Layer } from "effect"
import * as Http from "node:http"

/** There is no answer that could be used. */
export class HttpGetError extends Data.TaggedError("HttpGetError")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

export interface HttpGetLimits {
  readonly connectTimeout: Duration.Duration
  /** Of the whole exchange, connecting included. */
  readonly requestTimeout: Duration.Duration
  readonly maxBytes: number
}

const connecting = (url: string, limits: HttpGetLimits): Effect.Effect<string, HttpGetError> =>
  Effect.callback((resume) => {
    const fail = (reason: string): void => {
      resume(Effect.fail(new HttpGetError({ reason: `${url} - ${reason}` })))
      request.destroy()
    }
    const late = setTimeout(() => fail("connect timeout"), Duration.toMillis(limits.connectTimeout))
    const headers = { "Accept": "application/vnd.nsq; version=1.0" }
    const request = Http.get(url, { agent: false, headers }, (response) => {
      if (response.statusCode !== 200) return fail(`got response ${response.statusCode}`)
      const chunks: Array<Buffer> = []
      let size = 0
      response.on("data", (chunk: Buffer) => {
        size += chunk.length
        if (size > limits.maxBytes) fail(`response is larger than ${limits.maxBytes} bytes`)
        else chunks.push(chunk)
      })
      response.on("end", () => resume(Effect.succeed(Buffer.concat(chunks).toString())))
      response.on("error", (error) => fail(error.message))
    })
    request.on("socket", (socket) => void socket.once("connect", () => clearTimeout(late)))
    request.on("error", (error) => fail(error.message))
    request.on("close", () => {
      clearTimeout(late)
      fail("connection closed")
    })
    return Effect.sync(() => void request.destroy())
  })

export class HttpGet extends Context.Service<HttpGet, {
  /** The body of a 200. */
  readonly text: (url: string, limits: HttpGetLimits) => Effect.Effect<string, HttpGetError>
}>()("effect-nsq/http/HttpGet") {
  /** Over `node:http`. */
  static readonly layer = Layer.succeed(HttpGet, {
    text: (url, limits) =>
      Effect.try({
        try: () => new URL(url).href,
        catch: () => new HttpGetError({ reason: `${url} - not an address` })
      }).pipe(
        Effect.flatMap((href) => connecting(href, limits)),
        Effect.timeoutOrElse({
          duration: limits.requestTimeout,
          orElse: () => Effect.fail(new HttpGetError({ reason: `${url} - request timeout` }))
        })
      )
  })
}
