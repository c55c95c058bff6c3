/**
 * Spans of HTTP requests: children of the client's span, if it sends one (W3C Trace Context), named by route as in
 * OpenTelemetry's conventions. Publishing has no span, because a span costs more than a message.
 */
import { Effect, Tracer } from "effect"
import type { IncomingMessage } from "node:http"

const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/

/** Returns the client's span; undefined if it is missing or not valid. */
export const parentOf = ({ headers }: IncomingMessage): Tracer.ExternalSpan | undefined => {
  const header = headers["traceparent"]
  const [, traceId = "", spanId = "", flags = ""] = traceparent.exec(typeof header === "string" ? header : "") ?? []
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId)) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}

/** Runs the handler of a request in a span; `statusOf` returns the status of its response. */
export const inSpan =
  <A>(incoming: IncomingMessage, route: string, statusOf: (response: A) => number) =>
  <E, R>(handler: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    Effect.withSpan(
      Effect.tap(handler, (response) => Effect.annotateCurrentSpan("http.response.status_code", statusOf(response))),
      `${incoming.method} ${route}`,
      {
        kind: "server",
        parent: parentOf(incoming),
        attributes: { "http.request.method": incoming.method, "http.route": route, "url.path": incoming.url },
        captureStackTrace: false
      }
    )
