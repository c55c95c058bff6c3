/** The reference of the metrics, compared with what nsqd exports. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { consume } from "../../src/broker.ts"
import { Broker } from "../../src/services/nsqd/broker/Broker.ts"
import { serve } from "../services/nsqd/http/api.ts"

const text = readFileSync(join(import.meta.dirname, "../../docs/protocol/metrics.md"), "utf8")

/** The type of each metric of the reference. */
const documented = new Map(
  Array.from(
    text.matchAll(/^\| `((?:nsqd|process|nodejs)_\w+)` +\| (counter|gauge|histogram) /gm),
    ([, name = "", type = ""]) => [name, type]
  )
)

/** The labels of each metric of the reference. */
const labelsOf = (name: string): ReadonlyArray<string> => {
  const [, labels = ""] = new RegExp(`^\\| \`${name}\` +\\| \\w+ +\\| \`?([\\w, ]*)`, "m").exec(text) ?? []
  return labels.split(",").map((label) => label.trim()).filter((label) => label !== "").toSorted()
}

/** Metrics that begin with an event: a delivery in a zone, a message that a limit refuses or drops, one that expires, a dead letter. */
const fromFirst = [
  "nsqd_channel_delivered_total",
  "nsqd_topic_duplicates_total",
  "nsqd_topic_rejected_total",
  "nsqd_channel_dropped_total",
  "nsqd_channel_expired_total",
  "nsqd_channel_dead_letters_total"
]

describe("the reference of the metrics", () => {
  it.live("every metric that nsqd exports is described with its type and its labels, and no other", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const finishOne = Effect.gen(function*() {
        yield* api.request("POST", "/pub?topic=orders", "tea")
        yield* consume("orders", "kitchen").pipe(
          Stream.tap((delivery) => delivery.finish),
          Stream.take(1),
          Stream.runDrain,
          Effect.provideService(Broker, api.broker)
        )
      })
      // The first request begins to keep latencies.
      yield* api.request("GET", "/metrics")
      yield* finishOne
      const { text: scraped } = yield* api.request("GET", "/metrics")
      const exported = Array.from(
        scraped.matchAll(/^# TYPE (\w+) (\w+)$/gm),
        ([, name = "", type = ""]) => [name, type] as const
      )
      assert.deepStrictEqual(
        exported.toSorted(),
        Array.from(documented).filter(([name]) => !fromFirst.includes(name)).toSorted()
      )
      for (const name of fromFirst) assert.isTrue(documented.has(name), name)
      for (const [name, type] of exported) {
        const [, labels = ""] = new RegExp(`^${name}(?:_count)?(?:\\{([^}]*)\\})? `, "m").exec(scraped) ?? []
        const names = Array.from(labels.matchAll(/(\w+)="/g), ([, label = ""]) => label).toSorted()
        assert.deepStrictEqual(names, labelsOf(name), `${name}, ${type}`)
      }
    }))
})
