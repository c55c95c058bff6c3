import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import * as Prometheus from "../../../src/services/http/PrometheusText.ts"

const print = (registries: ReadonlyArray<Metric.MetricRegistry>) => Array.from(Prometheus.pieces(registries)).join("")

describe("Prometheus's text format", () => {
  it.effect("the text format has one family per metric and escapes label values", () =>
    Effect.gen(function*() {
      const one: Metric.MetricRegistry = new Map()
      const two: Metric.MetricRegistry = new Map()
      const update = (registry: Metric.MetricRegistry, name: string) =>
        Effect.provideService(
          Metric.update(Metric.counter("jobs_total", { description: "Jobs.", attributes: { name } }), 1),
          Metric.MetricRegistry,
          registry
        )
      yield* update(one, "a \"quoted\" name")
      yield* update(two, "back\\slash and\nline")
      assert.strictEqual(
        print([one, two]),
        "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n" +
          "jobs_total{name=\"a \\\"quoted\\\" name\"} 1\njobs_total{name=\"back\\\\slash and\\nline\"} 1\n"
      )
    }))

  it.effect("the text format describes a metric once, however many series it has", () =>
    Effect.gen(function*() {
      const registry: Metric.MetricRegistry = new Map()
      const names = Array.from({ length: 123 }, (_, i) => `n${i}`)
      for (const name of names) {
        yield* Effect.provideService(
          Metric.update(Metric.counter("jobs_total", { description: "Jobs.", attributes: { name } }), 1),
          Metric.MetricRegistry,
          registry
        )
      }
      assert.strictEqual(
        print([registry]),
        `# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n${
          names.map((name) => `jobs_total{name="${name}"} 1\n`).join("")
        }`
      )
    }))

  it.effect("the text format of an empty registry is empty", () =>
    Effect.gen(function*() {
      assert.strictEqual(print([new Map()]), "")
    }))
})
