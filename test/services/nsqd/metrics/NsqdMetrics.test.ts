import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { Clients } from "../../../../src/services/nsqd/broker/Clients.ts"
import * as NsqdMetrics from "../../../../src/services/nsqd/metrics/NsqdMetrics.ts"
import { ProcessMemory } from "../../../../src/services/nsqd/stats/ProcessMemory.ts"
import { TestBroker } from "../../../../src/testing/index.ts"

describe("the metrics of a daemon", () => {
  it.effect("metrics cover a bounded number of topics and channels and count the omitted ones", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      for (const topic of ["c", "a", "b"]) {
        for (const channel of ["y", "x"]) yield* broker.channel(TopicName.make(topic), ChannelName.make(channel))
      }
      const sources = { broker, clients: yield* Clients, memory: yield* ProcessMemory, health: undefined }
      const registry = NsqdMetrics.collect(sources, { includeEphemeral: false, describedMax: 2 })
      const entries = Array.from(registry.values())
      const labels = (id: string) => entries.filter((entry) => entry.id === id).map(({ attributes }) => attributes)
      assert.deepStrictEqual(labels("nsqd_topic_depth"), [{ topic: "a" }, { topic: "b" }])
      assert.deepStrictEqual(labels("nsqd_channel_depth"), [
        { topic: "a", channel: "x" },
        { topic: "a", channel: "y" }
      ])
      const omitted = entries.filter(({ id }) => id === "nsqd_metrics_omitted")
      assert.deepStrictEqual(omitted.map(({ attributes }) => attributes?.["kind"]), ["topic", "channel"])
      assert.deepStrictEqual(
        yield* Effect.context<never>().pipe(
          Effect.map((context) => omitted.map(({ hooks }): unknown => hooks.get(context)))
        ),
        [{ value: 1 }, { value: 4 }]
      )
    }).pipe(Effect.provide(TestBroker.layer().pipe(Layer.provideMerge(ProcessMemory.layer)))))
})
