/**
 * Metrics in Prometheus's text format, printed by Effect. Loaded at the first request.
 */
import { Context, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"

/** The content type of the format. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** Series printed in one step: about 1 ms for histograms. */
const seriesPerStep = 50

/** The comment lines before the series of a metric; they must appear once. */
const comments = /^(?:#.*\n)+/

/** All series of the registries in pieces, the series of a metric together. */
export function* pieces(registries: ReadonlyArray<Metric.MetricRegistry>): Generator<string, void> {
  const families = new Map<string, Array<Metric.Metric.Metadata<unknown, unknown>>>()
  for (const entry of registries.flatMap((registry) => Array.from(registry.values()))) {
    const family = families.get(entry.id)
    if (family === undefined) families.set(entry.id, [entry])
    else family.push(entry)
  }
  for (const family of families.values()) {
    for (let from = 0; from < family.length; from += seriesPerStep) {
      const part: Metric.MetricRegistry = new Map()
      for (const entry of family.slice(from, from + seriesPerStep)) part.set(String(part.size), entry)
      const text = PrometheusMetrics.formatUnsafe(Context.make(Metric.MetricRegistry, part))
      yield from === 0 ? text : text.replace(comments, "")
    }
  }
}
