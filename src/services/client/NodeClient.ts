/**
 * What producers and consumers need on Node, and on runtimes with Node's modules: sockets, and HTTP for nsqlookupd.
 */
import { Duration, Layer } from "effect"
import type { HttpClient } from "effect/http"
import * as LazyHttpClient from "../http/LazyHttpClient.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import type { Transport } from "../net/Transport.ts"

const connectTimeout = Duration.seconds(10)

/**
 * Sockets and an HTTP client over Node's modules, for `Producer` and `Consumer`. The HTTP client connects within 10 s, trusts the
 * certificates of the system, and is loaded with its first request; a client with fixed addresses of nsqd sends none. Provide a
 * `Transport` or an `HttpClient` of your own in place of either.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const producer = yield* Producer.make({ servers: { nsqd: ["127.0.0.1:4150"] } })
 *   yield* producer.publish("orders", "tea")
 * }).pipe(Effect.scoped, Effect.provide(NodeClient.layer))
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer: Layer.Layer<Transport | HttpClient.HttpClient> = Layer.merge(
  NodeTransport.layer,
  LazyHttpClient.layer(connectTimeout)
)
