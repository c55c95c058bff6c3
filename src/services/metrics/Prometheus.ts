/**
 * Metrics in Prometheus's text format, printed by Effect. Loaded when somebody asks for them for the first time.
 */
import { Context, Effect, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"

/** The content type of the format. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** All series of the registries. Others get their turn between two metrics: a thousand channels take a while to print. */
export const print = Effect.fnUntraced(function*(registries: ReadonlyArray<Metric.MetricRegistry>) {
  const families = new Map<string, Metric.MetricRegistry>()
  for (const entry of registries.flatMap((registry) => Array.from(registry.values()))) {
    const family: Metric.MetricRegistry = families.get(entry.id) ?? new Map()
    families.set(entry.id, family.set(String(family.size), entry))
  }
  let text = ""
  for (const family of families.values()) {
    text += PrometheusMetrics.formatUnsafe(Context.make(Metric.MetricRegistry, family))
    yield* Effect.yieldNow
  }
  return text
})
