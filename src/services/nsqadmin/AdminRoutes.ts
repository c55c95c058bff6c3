/** The routes besides the API: the page at each of its paths, its files, `/ping`, `/config` and the proxy for Graphite. */
import { Effect, Result } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { IpNetwork, NetAddress } from "effect/net"
import type { ConfigValue } from "../options/OptionKind.ts"
import { AdminAccess } from "./AdminAccess.ts"
import { AdminConfig } from "./AdminConfig.ts"
import { AdminMetrics } from "./AdminMetrics.ts"
import * as AdminPage from "./AdminPage.ts"
import { type Endpoint, failure } from "./Endpoints.ts"
import { Graphite } from "./Graphite.ts"
import { type CheckedOptions, NsqadminOptions } from "./NsqadminOptions.ts"
import * as Peer from "./Peer.ts"
import { WebAssets } from "./WebAssets.ts"

/** The paths of the page (docs/protocol/http.md#pages). Messages, policies, clients and the last two are not in NSQ. */
const pages = [
  "/",
  "/topics",
  "/topics/:topic",
  "/topics/:topic/:channel",
  "/messages/:topic",
  "/messages/:topic/:channel",
  "/policies",
  "/nodes",
  "/nodes/:node",
  "/nodes/:node/clients/:client",
  "/counter",
  "/lookup",
  "/warnings",
  "/daemons"
] as const

/** Returns the endpoints of these routes. */
export const endpoints = (proxyGraphite: boolean): ReadonlyArray<Endpoint> => [
  ...pages.map((path) => ({ method: "GET", path })),
  { method: "GET", path: "/ping" },
  { method: "GET", path: "/metrics" },
  { method: "GET", path: "/static/:asset" },
  { method: "GET", path: "/fonts/:asset" },
  { method: "GET", path: "/config/:opt" },
  { method: "PUT", path: "/config/:opt" },
  ...(proxyGraphite ? [{ method: "GET", path: "/render" }] : [])
]

/** The largest value of an option, as in NSQ. */
const maxConfigBytes = 1024 * 1024

/** Names of files contain the hash of their content, so a file never changes. */
const forever = "public, max-age=31536000, immutable"

/** Whether a client accepts gzip by name, and not with the weight 0. */
const acceptsGzip = (accepted: string): boolean =>
  accepted.split(",").some((coding) => /^\s*gzip\s*(?:;(?!\s*q=0(?:\.0*)?\s*$).*)?$/i.test(coding))

const configResponse = (value: ConfigValue) =>
  value._tag === "Text" ? HttpServerResponse.text(value.text) : HttpServerResponse.jsonUnsafe(value.json)

/** Whether the connection comes from the network. Headers of proxies do not count. */
const peerIn = (network: IpNetwork.IpNetwork, request: HttpServerRequest.HttpServerRequest): boolean => {
  const peer = NetAddress.ipFromString(Peer.ip(request))
  return Result.isSuccess(peer) && IpNetwork.contains(network, peer.success)
}

const searchOf = (url: string): string => url.includes("?") ? url.slice(url.indexOf("?")) : ""

/** Adds the routes to the router. Paths are relative to the base path. */
export const layer = ({ basePath, configNetwork }: CheckedOptions) =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const options = yield* NsqadminOptions
    const access = yield* AdminAccess
    const config = yield* AdminConfig
    const graphite = yield* Graphite
    const assets = yield* WebAssets

    const page = yield* AdminPage.make(basePath)
    yield* Effect.forEach(pages, (path) => router.add("GET", path, page(200)))

    yield* router.add("GET", "/ping", HttpServerResponse.text("OK"))

    const metrics = yield* AdminMetrics
    const printed = Effect.gen(function*() {
      const { contentType, pieces } = yield* Effect.promise(() => import("../http/PrometheusText.ts"))
      return HttpServerResponse.text(Array.from(pieces([metrics.collect().registry])).join(""), { contentType })
    })
    yield* router.add("GET", "/metrics", printed)

    const asset = Effect.gen(function*() {
      const { asset: name = "" } = yield* HttpRouter.params
      const found = yield* assets.asset(name)
      if (found === undefined) return HttpServerResponse.text("NOT_FOUND", { status: 404 })
      const { compressed, content, type } = found
      const headers = { "cache-control": options.devStaticDir === "" ? forever : "no-cache" }
      const { headers: { "accept-encoding": accepted = "" } } = yield* HttpServerRequest.HttpServerRequest
      // What comes from here is compressed once; all other responses each time.
      return compressed === undefined || !acceptsGzip(accepted)
        ? HttpServerResponse.uint8Array(content, { contentType: type, headers })
        : HttpServerResponse.uint8Array(yield* compressed, {
          contentType: type,
          headers: { ...headers, "content-encoding": "gzip", "vary": "Accept-Encoding" }
        })
    })
    yield* router.add("GET", "/static/:asset", asset)
    yield* router.add("GET", "/fonts/:asset", asset)

    const isConfigAllowed = (request: HttpServerRequest.HttpServerRequest): boolean =>
      configNetwork === undefined || peerIn(configNetwork, request)

    const getConfig = Effect.gen(function*() {
      if (!isConfigAllowed(yield* HttpServerRequest.HttpServerRequest)) return failure(403, "FORBIDDEN")
      const { opt = "" } = yield* HttpRouter.params
      return yield* Effect.match(config.get(opt), {
        onSuccess: configResponse,
        onFailure: ({ message }) => failure(400, message)
      })
    })
    yield* router.add("GET", "/config/:opt", getConfig)

    const putConfig = Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      if (!isConfigAllowed(request)) return failure(403, "FORBIDDEN")
      if (!access.isAdmin(request.headers)) return failure(403, "FORBIDDEN")
      const { opt = "" } = yield* HttpRouter.params
      if (Number(request.headers["content-length"] ?? 0) > maxConfigBytes) return failure(413, "INVALID_VALUE")
      const value = yield* Effect.orElseSucceed(request.text, () => "")
      if (value === "") return failure(413, "INVALID_VALUE")
      return yield* Effect.match(config.put(opt, value), {
        onSuccess: configResponse,
        onFailure: ({ message }) => failure(400, message)
      })
    })
    yield* router.add("PUT", "/config/:opt", putConfig)

    const render = Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const peer = Peer.ip(request)
      const before = request.headers["x-forwarded-for"]
      const picture = yield* graphite.render(searchOf(request.url), before === undefined ? peer : `${before}, ${peer}`)
      return HttpServerResponse.uint8Array(picture.body, { contentType: picture.type })
    }).pipe(
      Effect.catchTag(
        "NsqadminError",
        (error) => Effect.as(Effect.logError(error.message), failure(502, `UPSTREAM_ERROR: ${error.message}`))
      )
    )
    if (options.proxyGraphite) yield* router.add("GET", "/render", render)
  }))
