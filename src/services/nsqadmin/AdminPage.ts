/** The page, which shows all paths of nsqadmin, with its settings and its Content-Security-Policy (docs/protocol/http.md#pages). */
import { Duration, Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { ClusterSources } from "../cluster/ClusterSources.ts"
import { maskedAddress, maskedWebhook, withoutUser } from "../core/Masked.ts"
import { version } from "../core/Version.ts"
import { AdminAccess } from "./AdminAccess.ts"
import { ShownCluster } from "./NamedClusters.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"
import { WebAssets } from "./WebAssets.ts"

/**
 * Restricts the page to nsqadmin's own files, and to Graphite's pictures if browsers load them from Graphite. Forbids inline
 * scripts and framing.
 */
const contentSecurityPolicy = (graphiteOrigin: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' data:${graphiteOrigin === "" ? "" : ` ${graphiteOrigin}`}`,
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'"
  ].join("; ")

/** The history in memory. */
const hourMillis = 3_600_000

/** Returns a function that responds with the page and a status. The page itself recognises an unknown path. */
export const make = Effect.fnUntraced(function*(basePath: string) {
  const options = yield* NsqadminOptions
  const access = yield* AdminAccess
  const sources = yield* ClusterSources
  const assets = yield* WebAssets
  const shown = yield* ShownCluster
  const graphiteOrigin = options.proxyGraphite ? "" : URL.parse(options.graphiteUrl)?.origin ?? ""
  const pageHeaders = {
    "content-security-policy": contentSecurityPolicy(graphiteOrigin),
    "cache-control": "no-cache",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY"
  }
  return (status: number) =>
    Effect.gen(function*() {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      const html = yield* assets.page({
        version,
        basePath,
        cluster: shown.all.length > 1 ? shown.name : "",
        clusters: shown.all.length > 1 ? shown.all : [],
        isAdmin: access.isAdmin(headers),
        nsqlookupd: (yield* sources.current).lookupd.map(maskedAddress),
        sampleInterval: Duration.toMillis(options.sampleInterval),
        alertWebhooks: options.alertWebhooks.map(maskedWebhook),
        historySpan: options.historyDir === "" ? hourMillis : Duration.toMillis(options.historyRetention),
        graphite: {
          enabled: options.graphiteUrl !== "",
          url: options.proxyGraphite ? "" : withoutUser(options.graphiteUrl),
          counterFormat: options.statsdCounterFormat,
          gaugeFormat: options.statsdGaugeFormat,
          interval: Duration.toSeconds(options.statsdInterval),
          prefix: options.statsdPrefix
        }
      })
      return HttpServerResponse.text(html, { status, contentType: "text/html; charset=utf-8", headers: pageHeaders })
    })
})
