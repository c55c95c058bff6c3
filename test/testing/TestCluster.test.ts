import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Broker, consume, type Delivery, publish } from "../../src/broker.ts"
import { TopicName } from "../../src/protocol/client/Names.ts"
import { Consumer, Producer, Topic } from "../../src/services/client/index.ts"
import { eventually, type NsqlookupdNode, Registrations, TestCluster, untilIdle } from "../../src/testing/index.ts"

const topic = Topic.bytes("t")

const textOf = ({ body }: { readonly body: Uint8Array }): string => Buffer.from(body).toString()

/** Takes and finishes messages of the channel in process, as many as there are now. */
const drain = Effect.fnUntraced(function*(name: string, channel: string) {
  const bodies: Array<string> = []
  yield* consume(name, channel, { maxInFlight: 100 }).pipe(
    Stream.runForEach((delivery: Delivery) => {
      bodies.push(textOf(delivery))
      return delivery.finish
    }),
    Effect.forkScoped
  )
  yield* untilIdle
  return bodies
}, Effect.scoped)

/** The hosts of the nsqd that have the topic, as the nsqlookupd knows them. */
const hostsOf = (lookupd: NsqlookupdNode, name: string) =>
  lookupd.run(
    Registrations.useSync((database) =>
      (database.lookup(name)?.producers ?? []).map(({ identity }) => identity.broadcast_address).toSorted().join()
    )
  )

const knows = (lookupd: NsqlookupdNode, name: string, hosts: string) =>
  Effect.map(hostsOf(lookupd, name), (found) => found === hosts)

/** A consumer of the topic that records and finishes what it gets. */
const recording = Effect.gen(function*() {
  const { lookup } = yield* TestCluster
  const bodies: Array<string> = []
  const consumer = yield* Consumer.make({ topic, channel: "c", servers: lookup, maxInFlight: 10 })
  yield* Effect.forkScoped(consumer.run((body) => Effect.sync(() => bodies.push(Buffer.from(body).toString()))))
  return { bodies, consumer }
})

describe("TestCluster", () => {
  it.effect("nsqds register at every nsqlookupd, and respond over TCP, HTTP and in process", () =>
    Effect.gen(function*() {
      const cluster = yield* TestCluster
      const [first, second] = cluster.nsqds
      assert(first !== undefined && second !== undefined)
      const producer = yield* Producer.make({ servers: { nsqd: [first.tcpAddress] } })
      yield* producer.publish("t", "over TCP")
      const client = yield* HttpClient.HttpClient
      const { status } = yield* client.get(`http://${second.httpAddress}/ping`)
      assert.strictEqual(status, 200)
      yield* second.run(publish("t", [Buffer.from("in process")]))
      for (const lookupd of cluster.nsqlookupds) {
        yield* eventually(knows(lookupd, "t", "10.0.0.1,10.0.0.2"), "both are known")
      }
      assert.deepStrictEqual(yield* first.run(drain("t", "c")), ["over TCP"])
      assert.deepStrictEqual(yield* second.run(drain("t", "c")), ["in process"])
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqds: 2, nsqlookupds: 2 }))))

  it.effect("after a partition an nsqlookupd learns what happened meanwhile, and the other one knows it at once", () =>
    Effect.gen(function*() {
      const { nsqds: [nsqd], nsqlookupds: [near, far], reunite, separate } = yield* TestCluster
      assert(nsqd !== undefined && near !== undefined && far !== undefined)
      yield* nsqd.run(publish("before", [Buffer.from("x")]))
      yield* eventually(knows(far, "before", nsqd.host), "the topic is registered")
      yield* separate(far, nsqd)
      // Creating a topic waits for the channels that the separated nsqlookupd may know.
      yield* Effect.forkScoped(nsqd.run(publish("meanwhile", [Buffer.from("x")])))
      yield* nsqd.run(Broker.use((broker) => broker.deleteTopic(TopicName.make("before"))))
      yield* eventually(knows(near, "meanwhile", nsqd.host), "the near nsqlookupd knows the topic")
      assert.strictEqual(yield* hostsOf(far, "meanwhile"), "")
      assert.strictEqual(yield* hostsOf(far, "before"), nsqd.host)
      yield* reunite(far, nsqd)
      yield* eventually(knows(far, "meanwhile", nsqd.host), "the far nsqlookupd knows the topic")
      assert.strictEqual(yield* hostsOf(far, "before"), "")
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqlookupds: 2 }))))

  it.effect("a killed nsqd with durable topics has every acknowledged message after its restart", () =>
    Effect.gen(function*() {
      const { nsqds: [nsqd], servers } = yield* TestCluster
      assert(nsqd !== undefined)
      const producer = yield* Producer.make({ servers })
      yield* producer.publishAll("t", ["a", "b", "c"])
      yield* producer.publishDeferred("t", "later", "1 minute")
      yield* nsqd.kill
      assert.isFalse(nsqd.isRunning())
      const waiting = yield* Effect.forkScoped(producer.publish("t", "published while it is down"))
      yield* untilIdle
      assert.isUndefined(waiting.pollUnsafe())
      yield* nsqd.start
      yield* eventually(() => waiting.pollUnsafe() !== undefined)
      assert.deepStrictEqual(yield* nsqd.run(drain("t", "c")), ["a", "b", "c", "published while it is down"])
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqd: { durability: "written" } }))))

  it.effect.each([1, 2, 3, 4, 5])(
    "a loss of power loses no message of a synced topic, with seed %d",
    (seed) =>
      Effect.gen(function*() {
        const { nsqds: [nsqd], servers } = yield* TestCluster
        assert(nsqd !== undefined)
        const producer = yield* Producer.make({ servers })
        for (const body of ["a", "b", "c"]) yield* producer.publish("t", body)
        yield* nsqd.losePower
        yield* nsqd.start
        assert.deepStrictEqual(yield* nsqd.run(drain("t", "c")), ["a", "b", "c"])
      }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ seed, nsqd: { durability: "synced" } })))
  )

  it.effect("a kill loses the messages of topics in memory, and an orderly stop none", () =>
    Effect.gen(function*() {
      const { nsqds: [killed, stopped] } = yield* TestCluster
      assert(killed !== undefined && stopped !== undefined)
      yield* killed.run(publish("t", [Buffer.from("x")]))
      yield* stopped.run(publish("t", [Buffer.from("x")]))
      yield* killed.kill
      yield* stopped.stop
      yield* killed.start
      yield* stopped.start
      assert.deepStrictEqual(yield* killed.run(drain("t", "c")), [])
      assert.deepStrictEqual(yield* stopped.run(drain("t", "c")), ["x"])
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqds: 2 }))))

  it.effect("a consumer finds an nsqd that is added, and one that has started again", () =>
    Effect.gen(function*() {
      const cluster = yield* TestCluster
      const [first] = cluster.nsqds
      assert(first !== undefined)
      const { bodies, consumer } = yield* recording
      yield* first.run(publish("t", [Buffer.from("first")]))
      yield* eventually(() => bodies.length === 1)
      const added = yield* cluster.addNsqd()
      yield* added.run(publish("t", [Buffer.from("second")]))
      yield* eventually(() => bodies.length === 2)
      yield* first.kill
      yield* eventually(Effect.map(consumer.connected, (servers) => servers.length === 1), "one connection is lost")
      yield* first.start
      yield* first.run(publish("t", [Buffer.from("third")]))
      yield* eventually(() => bodies.length === 3)
      assert.deepStrictEqual(bodies, ["first", "second", "third"])
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer())))

  it.effect("a producer that is separated from one nsqd publishes to another", () =>
    Effect.gen(function*() {
      const { nsqds: [first, second], separate, servers } = yield* TestCluster
      assert(first !== undefined && second !== undefined)
      const producer = yield* Producer.make({ servers })
      yield* eventually(Effect.map(producer.connected, (found) => found.length === 2), "two connections")
      yield* separate(TestCluster.program, first)
      const published = yield* Effect.forkScoped(
        Effect.forEach(["a", "b", "c", "d"], (body) => producer.publish("t", body), { concurrency: "unbounded" })
      )
      yield* eventually(() => published.pollUnsafe() !== undefined)
      assert.sameMembers(yield* second.run(drain("t", "c")), ["a", "b", "c", "d"])
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqds: 2 }))))

  it.effect("the same seed gives the same run", () => {
    const run = Effect.gen(function*() {
      const lines: Array<string> = []
      yield* Effect.gen(function*() {
        const { nsqds: [nsqd], reunite, nsqlookupds: [lookupd], separate } = yield* TestCluster
        assert(nsqd !== undefined && lookupd !== undefined)
        yield* separate(nsqd, lookupd)
        yield* Effect.forkScoped(nsqd.run(publish("t", [Buffer.from("x")])))
        yield* TestClock.adjust("1 minute")
        yield* nsqd.kill
        yield* nsqd.start
        yield* reunite(nsqd, lookupd)
        yield* eventually(knows(lookupd, "t", nsqd.host), "the topic is registered")
      }).pipe(
        Effect.scoped,
        Effect.provide(TestCluster.layer({
          seed: 7,
          nsqd: { durability: "written" },
          log: (line) => lines.push(line.replace(/^(\S+) \S+ \S+ /, "$1 "))
        }))
      )
      return lines
    })
    return Effect.gen(function*() {
      const first = yield* run
      assert.isAbove(first.length, 10)
      assert.isTrue(first.every((line) => line.startsWith("10.0.")))
      assert.deepStrictEqual(yield* run, first)
    })
  })

  it.effect("the peers of a machine without power notice it by their heartbeats only, and go on after its start", () =>
    Effect.gen(function*() {
      const { nsqd, servers } = yield* TestCluster
      const producer = yield* Producer.make({ servers })
      yield* producer.publish("t", "before")
      yield* nsqd(0).losePower
      yield* untilIdle
      assert.strictEqual((yield* producer.connected).length, 1)
      yield* eventually(Effect.map(producer.connected, ({ length }) => length === 0), "the connection is given up")
      yield* nsqd(0).start
      yield* eventually(Effect.map(producer.connected, ({ length }) => length === 1), "the producer is connected")
      yield* producer.publish("t", "after")
      assert.deepStrictEqual(yield* nsqd(0).run(drain("t", "c")), ["before", "after"])
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqd: { durability: "synced" } }))))

  it.effect("a node that does not exist, and an option that needs a server outside of the cluster, are errors", () =>
    Effect.gen(function*() {
      const { addNsqd, nsqd } = yield* TestCluster
      assert.throws(() => nsqd(1), "the cluster has 1 nsqd, not one with index 1")
      const exit = yield* Effect.exit(addNsqd({ statsdAddress: "127.0.0.1:8125" }))
      assert.include(String(exit), "statsd-address")
    }).pipe(Effect.provide(TestCluster.layer())))

  it.effect("a daemon that does not run gives out nothing", () =>
    Effect.gen(function*() {
      const { nsqds: [nsqd] } = yield* TestCluster
      assert(nsqd !== undefined)
      yield* nsqd.kill
      const exit = yield* Effect.exit(nsqd.run(Broker.useSync((broker) => broker.topics())))
      assert.strictEqual(exit._tag, "Failure")
    }).pipe(Effect.provide(TestCluster.layer())))
})
