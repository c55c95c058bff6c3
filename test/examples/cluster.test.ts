/**
 * How to test a program on a cluster: nsqd and nsqlookupd run in this process, on a network and on disks in memory, and hours take
 * no time.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Consumer, Producer, Topic } from "effect-nsq/client"
import { eventually, TestCluster } from "effect-nsq/testing"

const orders = Topic.bytes("orders")

/** The code under test: serves all orders, wherever they are. */
const kitchen = Effect.gen(function*() {
  const { lookup } = yield* TestCluster
  const served: Array<string> = []
  const consumer = yield* Consumer.make({ topic: orders, channel: "kitchen", servers: lookup, maxInFlight: 10 })
  yield* Effect.forkScoped(consumer.run((order) => Effect.sync(() => served.push(String(order)))))
  return served
})

describe("the kitchen", () => {
  it.effect("orders survive the loss of the nsqd that has them", () =>
    Effect.gen(function*() {
      const { nsqd, servers } = yield* TestCluster
      const first = nsqd(0)
      const producer = yield* Producer.make({ servers })
      yield* producer.publish("orders", "tea")
      yield* first.losePower
      const served = yield* kitchen
      yield* first.start
      yield* eventually(() => served.includes("tea"))
    }).pipe(Effect.provide(TestCluster.layer({ nsqds: 1, nsqd: { durability: "synced" } }))))

  it.effect("orders of an nsqd are served while one nsqlookupd does not see it", () =>
    Effect.gen(function*() {
      const { nsqd, nsqlookupd, separate } = yield* TestCluster
      const first = nsqd(0)
      yield* separate(nsqlookupd(0), first, TestCluster.program)
      const served = yield* kitchen
      const producer = yield* Producer.make({ servers: { nsqd: [first.tcpAddress] } })
      yield* Effect.forkScoped(producer.publish("orders", "tea"))
      yield* eventually(() => served.includes("tea"))
    }).pipe(Effect.provide(TestCluster.layer({ nsqlookupds: 2 }))))

  it.effect("the kitchen finds an nsqd that is added", () =>
    Effect.gen(function*() {
      const { addNsqd } = yield* TestCluster
      const served = yield* kitchen
      const added = yield* addNsqd()
      const producer = yield* Producer.make({ servers: { nsqd: [added.tcpAddress] } })
      yield* producer.publish("orders", "tea")
      yield* eventually(() => served.includes("tea"))
    }).pipe(Effect.provide(TestCluster.layer())))
})
