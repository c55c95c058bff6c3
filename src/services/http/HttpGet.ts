/**
 * GET requests to another daemon, within limits of time and size. Each request has its own connection: requests are rare, and
 * a kept connection would fail the next request after its peer has closed it.
 */
import { Context, Data, Duration, Effect, Layer } from "effect"
import * as Http from "node:http"
import type { LookupFunction } from "node:net"
import { type AddressRefused, DaemonNetworks } from "../net/DaemonNetworks.ts"
import { joinAddress } from "../net/Transport.ts"

/** The request failed, or its response is not usable. */
export class HttpGetError extends Data.TaggedError("HttpGetError")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

/** Limits of a request. */
export interface HttpGetLimits {
  readonly connectTimeout: Duration.Duration
  /** For the whole exchange, including connecting. */
  readonly requestTimeout: Duration.Duration
  readonly maxBytes: number
}

const connecting = (
  url: string,
  limits: HttpGetLimits,
  lookup: LookupFunction | undefined
): Effect.Effect<string, HttpGetError> =>
  Effect.callback((resume) => {
    const fail = (reason: string): void => {
      resume(Effect.fail(new HttpGetError({ reason: `${url} - ${reason}` })))
      request.destroy()
    }
    const late = setTimeout(() => fail("connect timeout"), Duration.toMillis(limits.connectTimeout))
    const headers = { "Accept": "application/vnd.nsq; version=1.0" }
    const request = Http.get(
      url,
      { agent: false, headers, ...(lookup === undefined ? {} : { lookup }) },
      (response) => {
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
      }
    )
    request.on("socket", (socket) => void socket.once("connect", () => clearTimeout(late)))
    request.on("error", (error) => fail(error.message))
    request.on("close", () => {
      clearTimeout(late)
      fail("connection closed")
    })
    return Effect.sync(() => void request.destroy())
  })

/** GET requests to daemons. */
export class HttpGet extends Context.Service<HttpGet, {
  /**
   * Returns the body of a response with status 200. `namer` is the daemon, `host:port`, that announced the address, which then
   * has to be allowed by `DaemonNetworks`; without it the address is a configured one.
   */
  readonly text: (
    url: string,
    limits: HttpGetLimits,
    namer?: string
  ) => Effect.Effect<string, HttpGetError | AddressRefused>
}>()("effect-nsq/http/HttpGet") {
  /** Uses `node:http` and the `DaemonNetworks` of the context. */
  static readonly layer: Layer.Layer<HttpGet> = Layer.effect(
    HttpGet,
    Effect.map(DaemonNetworks, (networks) => {
      const get = Effect.fnUntraced(function*(text: string, limits: HttpGetLimits, namer: string | undefined) {
        const url = URL.parse(text)
        if (url === null) return yield* new HttpGetError({ reason: `${text} - not a valid URL` })
        if (namer === undefined) return yield* connecting(url.href, limits, undefined)
        const origin = yield* networks.originBy(namer)
        yield* networks.resolve(joinAddress(url.hostname.replace(/^\[|\]$/g, ""), Number(url.port || 80)), origin)
        return yield* connecting(url.href, limits, networks.lookup(origin))
      })
      return {
        text: (url, limits, namer) =>
          Effect.timeoutOrElse(get(url, limits, namer), {
            duration: limits.requestTimeout,
            orElse: () => Effect.fail(new HttpGetError({ reason: `${url} - request timeout` }))
          })
      }
    })
  )
}
