/**
 * `DaemonHttp` over an `HttpClient`, with NSQ's rules (`HttpExchange.sendToDaemon`). Daemons are not trusted: responses are
 * limited in size and time, and `DaemonNetworks` checks addresses that another daemon announced.
 */
import { Context, Duration, Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { masked } from "../core/Masked.ts"
import { DaemonNetworks, type Origin } from "../net/DaemonNetworks.ts"
import { DaemonHttp, type DaemonHttpLimits, RequestTimeout } from "./DaemonHttp.ts"
import * as HttpClients from "./HttpClients.ts"
import { HttpError, HttpErrorReason } from "./HttpError.ts"
import * as HttpExchange from "./HttpExchange.ts"
import * as LongResponse from "./LongResponse.ts"

const make = Effect.fnUntraced(function*(
  limits: DaemonHttpLimits,
  clientOf: (origin: Origin) => HttpClient.HttpClient
): Effect.fn.Return<DaemonHttp["Service"]> {
  const { httpClientRequestTimeout, maxDaemonResponseSize, responseSizeOption, userAgent } = limits
  const networks = yield* DaemonNetworks

  const named = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest =>
    userAgent === undefined ? request : HttpClientRequest.setHeader(request, "user-agent", userAgent)

  const send = (request: HttpClientRequest.HttpClientRequest, address: string, origin: Origin) =>
    Effect.flatMap(
      RequestTimeout,
      (limit = httpClientRequestTimeout) =>
        HttpExchange.sendToDaemon(clientOf(origin), named(request), {
          address,
          timeout: Duration.min(limit, httpClientRequestTimeout),
          maxBytes: maxDaemonResponseSize,
          option: responseSizeOption ?? "--max-daemon-response-size",
          permitted: networks.resolve(address, origin)
        })
    )

  /** Sends a request, and decodes the response. */
  const sendAndRead = <A, E>(
    request: HttpClientRequest.HttpClientRequest,
    address: string,
    origin: Origin,
    read: (body: Buffer) => Effect.Effect<A, E>
  ): Effect.Effect<A, HttpError> => {
    const { method, url } = request
    const reason = HttpErrorReason.InvalidResponse()
    const invalid = () => new HttpError({ address, method, url: masked(url), reason })
    return Effect.flatMap(send(request, address, origin), ({ body }) => Effect.mapError(read(body), invalid))
  }

  const getRequest = (address: string, path: string) => HttpClientRequest.get(`http://${address}${path}`)

  return {
    get: (schema, address, path, origin = "configured") => {
      const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
      return sendAndRead(getRequest(address, path), address, origin, (body) => decode(body.toString()))
    },
    getByTopic: (schemas, address, path, origin = "configured") =>
      sendAndRead(getRequest(address, path), address, origin, (body) => LongResponse.decode(schemas, body)),
    forEachTopic: (schemas, address, path, begin, origin = "configured") =>
      sendAndRead(getRequest(address, path), address, origin, (body) => LongResponse.forEach(schemas, body, begin)),
    post: (address, path, body, origin = "configured") => {
      const request = HttpClientRequest.post(`http://${address}${path}`)
      const full = body === undefined ? request : HttpClientRequest.bodyUint8Array(request, body)
      return Effect.asVoid(send(full, address, origin))
    },
    exchange: (schema, method, address, path, body, origin = "configured") => {
      const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
      const request = HttpClientRequest.make(method)(`http://${address}${path}`)
      const full = body === undefined ? request : HttpClientRequest.bodyUint8Array(request, body)
      return sendAndRead(full, address, origin, (received) => decode(received.toString()))
    },
    send: (method, address, path, origin = "configured") =>
      Effect.asVoid(send(HttpClientRequest.make(method)(`http://${address}${path}`), address, origin))
  }
})

/** Uses the `HttpClient` of the context. Announced addresses are checked, but not a name that changes its address meanwhile. */
export const layer = (limits: DaemonHttpLimits): Layer.Layer<DaemonHttp, never, HttpClient.HttpClient> =>
  Layer.effect(DaemonHttp, Effect.flatMap(HttpClient.HttpClient, (client) => make(limits, () => client)))

/**
 * Uses a client for configured addresses, and two for announced addresses. The latter resolve a name only to allowed IP addresses,
 * even if the name has changed since its check.
 */
export const layerNode = (
  options: DaemonHttpLimits & Pick<HttpClients.HttpOptions, "httpClientConnectTimeout">,
  tls: HttpClients.ClientTls,
  connections: HttpClients.Connections
): Layer.Layer<DaemonHttp> =>
  Layer.effect(
    DaemonHttp,
    Effect.gen(function*() {
      const networks = yield* DaemonNetworks
      const clientWith = (more: HttpClients.Connections) =>
        Effect.map(
          Layer.build(HttpClients.layer(options, tls, { ...connections, ...more })),
          (context) => Context.get(context, HttpClient.HttpClient)
        )
      const clients: Record<Origin, HttpClient.HttpClient> = {
        configured: yield* clientWith({}),
        loopback: yield* clientWith({ lookup: networks.lookup("loopback") }),
        remote: yield* clientWith({ lookup: networks.lookup("remote") })
      }
      return yield* make(options, (origin) => clients[origin])
    })
  )
