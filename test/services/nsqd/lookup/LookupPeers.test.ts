import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { encodeReply } from "../../../../src/protocol/lookup/LookupReply.ts"
import { HttpErrorReason } from "../../../../src/services/http/HttpError.ts"
import type { Connection } from "../../../../src/services/net/Transport.ts"
import { Idle, MemoryTransport, until, untilIdle } from "../../../../src/testing/index.ts"
import { channelsOf, lookupd, lookupdAddress, nsqd, producersOf } from "../../nsqlookupd/cluster.ts"

const network = Effect.provide(Layer.provideMerge(MemoryTransport.layer, Idle.layer))

/** Advances the clock until the condition holds, and lets all fibers run between the steps. */
const eventually = Effect.fnUntraced(function*(isSo: () => boolean) {
  yield* untilIdle
  for (let i = 0; i < 120 && !isSo(); i++) {
    yield* TestClock.adjust("500 millis")
    yield* untilIdle
  }
  assert.isTrue(isSo(), `did not become true within a minute: ${isSo}`)
})

/** A peer at `address` that handles each connection by `handle`. */
const impostor = Effect.fnUntraced(function*(
  name: string,
  handle: (connection: Connection) => Effect.Effect<void, never, Scope.Scope>
) {
  let connections = 0
  const { machine } = yield* MemoryTransport.MemoryNetwork
  yield* Effect.orDie(
    machine(name).listen(lookupdAddress(name), (connection) => {
      connections++
      return handle(connection)
    })
  )
  return { connections: () => connections }
})

const swallow = (connection: Connection): Effect.Effect<void> =>
  Effect.gen(function*() {
    while ((yield* connection.read) !== undefined);
  }).pipe(Effect.ignore)

describe("an nsqd and its nsqlookupds", () => {
  it.effect("after network partitions every nsqd is registered again with every nsqlookupd, once", () =>
    Effect.gen(function*() {
      const { reunite, separate } = yield* MemoryTransport.MemoryNetwork
      const lookupds = { l1: yield* lookupd("l1"), l2: yield* lookupd("l2") }
      const http = channelsOf(lookupds)
      const addresses = Object.keys(lookupds).map(lookupdAddress)
      const names = ["b1", "b2", "b3"]
      const brokers = yield* Effect.forEach(names, (name) => nsqd(name, addresses, http))
      yield* Effect.forEach(brokers, (broker) => broker.channel("t", "c"))
      const all = (topic: string) => () =>
        Object.values(lookupds).every((lookupd) => producersOf(lookupd, topic).join() === names.join())
      yield* eventually(all("t"))

      yield* separate("b1", "l1")
      yield* separate("b2", "l1")
      yield* separate("b2", "l2")
      yield* separate("b3", "l2")
      yield* Effect.forEach(brokers, (broker) => Effect.forkScoped(broker.topic("meanwhile")))
      // Long enough for pings to fail, connections to be closed and attempts to be rare.
      yield* eventually(() => producersOf(lookupds.l2, "meanwhile").includes("b1"))
      yield* TestClock.adjust("2 minutes")
      yield* untilIdle
      assert.isFalse(producersOf(lookupds.l1, "meanwhile").includes("b1"))
      assert.isFalse(producersOf(lookupds.l2, "meanwhile").includes("b2"))

      yield* reunite("b1", "l1")
      yield* reunite("b2", "l1")
      yield* reunite("b2", "l2")
      yield* reunite("b3", "l2")
      yield* eventually(() => all("t")() && all("meanwhile")())
      for (const lookupd of Object.values(lookupds)) {
        assert.deepStrictEqual(lookupd.nodes().map(({ producer }) => producer.identity.broadcast_address).sort(), names)
        assert.deepStrictEqual(lookupd.channels("t"), ["c"])
      }
    }).pipe(network))

  it.effect("a draining nsqd is registered only for the topics that have messages, also after a reconnection", () =>
    Effect.gen(function*() {
      const { reunite, separate } = yield* MemoryTransport.MemoryNetwork
      const l1 = yield* lookupd("l1")
      const { broker, channel, topic } = yield* nsqd("b", [lookupdAddress("l1")])
      yield* channel("empty", "c")
      const full = yield* topic("full")
      const body = Buffer.from([0, 0, 0, 1, 65])
      assert.isUndefined(full.put({ bytes: body, start: 0, gap: 0, count: 1, bodyBytes: 1 }, 0))
      const registered = () => ["empty", "full"].filter((name) => producersOf(l1, name).length > 0).join()
      yield* eventually(() => registered() === "empty,full")
      yield* broker.drain.begin
      yield* eventually(() => registered() === "full")
      yield* channel("empty", "late")
      yield* separate("b", "l1")
      yield* TestClock.adjust("2 minutes")
      yield* untilIdle
      yield* reunite("b", "l1")
      yield* TestClock.adjust("1 minute")
      yield* untilIdle
      assert.strictEqual(registered(), "full")
      yield* broker.drain.end
      yield* eventually(() => registered() === "empty,full")
      assert.deepStrictEqual(l1.channels("empty").toSorted(), ["c", "late"])
    }).pipe(network))

  it.effect("a new topic has the channels of all nsqlookupds before it delivers a message", () =>
    Effect.gen(function*() {
      const lookupds = { l1: yield* lookupd("l1"), l2: yield* lookupd("l2") }
      lookupds.l1.createChannel("t", "one")
      lookupds.l2.createChannel("t", "two")
      lookupds.l2.createChannel("t", "passing#ephemeral")
      const broker = yield* nsqd("b", [lookupdAddress("l1"), lookupdAddress("l2"), "l3:4160"], channelsOf(lookupds))
      const topic = yield* broker.topic("t")
      assert.deepStrictEqual(topic.channels.map(({ name }) => name).toSorted(), ["one", "two"])
    }).pipe(network))

  it.effect("messages wait while the nsqlookupds are queried, and then go to all channels", () =>
    Effect.gen(function*() {
      yield* lookupd("l1")
      const answer = yield* Deferred.make<string>()
      const broker = yield* nsqd("b", [lookupdAddress("l1")], () => Deferred.await(answer))
      const creator = yield* Effect.forkChild(broker.topic("t"))
      const find = () => broker.broker.findTopic("t")
      yield* until(() => find() !== undefined)
      const topic = find()
      assert(topic !== undefined)
      // A channel created by a consumer meanwhile does not wait for the response, but gets no message before the
      // others.
      const joined = yield* Effect.forkChild(broker.channel("t", "early"))
      yield* until(() => topic.channels.length === 1)
      const body = Buffer.from([0, 0, 0, 1, 65])
      assert.isUndefined(topic.put({ bytes: body, start: 0, gap: 0, count: 1, bodyBytes: 1 }, 0))
      yield* untilIdle
      assert.strictEqual(topic.depth, 1)
      yield* Deferred.succeed(answer, `{"channels":["late"]}`)
      yield* Fiber.join(creator)
      yield* Fiber.join(joined)
      yield* until(() => topic.depth === 0)
      assert.deepStrictEqual(topic.channels.map(({ depth, name }) => `${name} ${depth}`).toSorted(), [
        "early 1",
        "late 1"
      ])
    }).pipe(network))

  it.effect("a topic is created even if the nsqlookupds respond with invalid JSON or not at all", () =>
    Effect.gen(function*() {
      yield* lookupd("l1")
      const answers = ["{", `{"channels":[1]}`, `{"channels":null}`, `{"channels":["a$","b"]}`]
      let at = 0
      const broker = yield* nsqd("b", [lookupdAddress("l1"), "nowhere:1"], () => {
        const text = answers[at++]
        return text === undefined ? Effect.fail(HttpErrorReason.Timeout()) : Effect.succeed(text)
      })
      const channels: Array<string> = []
      for (let i = 0; i < 5; i++) {
        channels.push((yield* broker.topic(`t${i}`)).channels.map(({ name }) => name).join())
      }
      assert.deepStrictEqual(channels, ["", "", "", "b", ""])
    }).pipe(network))

  it.effect("an nsqlookupd that is silent or sends invalid or too many responses affects neither the others nor the broker", () =>
    Effect.gen(function*() {
      const huge = Buffer.from([0x7f, 0xff, 0xff, 0xff])
      const negative = Buffer.from([0xff, 0xff, 0xff, 0xff])
      const sends = (bytes: Buffer) => (connection: Connection) =>
        Effect.andThen(Effect.sync(() => void connection.write(bytes)), swallow(connection))
      const impostors = yield* Effect.all([
        impostor("silent", swallow),
        impostor("huge", sends(huge)),
        impostor("negative", sends(negative)),
        impostor("nonsense", sends(encodeReply(Buffer.from("<html>")))),
        impostor("refusing", sends(encodeReply(Buffer.from("E_INVALID")))),
        impostor("closing", () => Effect.void),
        // Accepts IDENTIFY and refuses every REGISTER.
        impostor(
          "moody",
          sends(
            Buffer.concat([
              encodeReply(Buffer.from(`{"broadcast_address":"moody"}`)),
              encodeReply(Buffer.from("E_BAD_TOPIC"))
            ])
          )
        ),
        // Sends unsolicited responses.
        impostor("chatty", sends(Buffer.concat(Array.from({ length: 2000 }, () => encodeReply(Buffer.from("{}"))))))
      ])
      const good = yield* lookupd("good")
      const names = ["silent", "huge", "negative", "nonsense", "refusing", "closing", "moody", "chatty", "good"]
      const broker = yield* nsqd("b", names.map(lookupdAddress), channelsOf({ good }))
      const creator = yield* Effect.forkChild(broker.channel("t", "c"))
      yield* eventually(() => creator.pollUnsafe() !== undefined && producersOf(good, "t").length === 1)
      yield* Fiber.join(creator)
      // All are retried, at growing intervals.
      yield* eventually(() => impostors.every(({ connections }) => connections() > 2))
      const before = impostors.map(({ connections }) => connections())
      yield* TestClock.adjust("1 minute")
      yield* untilIdle
      for (const [i, { connections }] of impostors.entries()) assert.isBelow(connections() - (before[i] ?? 0), 20)
      assert.deepStrictEqual(producersOf(good, "t"), ["b"])
    }).pipe(network))

  it.effect("pings keep nsqd registered, and after a lost connection it registers everything again", () =>
    Effect.gen(function*() {
      const { reunite, separate } = yield* MemoryTransport.MemoryNetwork
      const l1 = yield* lookupd("l1")
      const broker = yield* nsqd("b", [lookupdAddress("l1")], channelsOf({ l1 }))
      yield* broker.channel("t", "c")
      yield* eventually(() => producersOf(l1, "t").length === 1)
      const [first] = l1.nodes()
      for (let i = 0; i < 40; i++) {
        yield* TestClock.adjust("15 seconds")
        yield* untilIdle
      }
      // After ten minutes the connection is still the same and alive.
      assert.strictEqual(l1.nodes()[0]?.producer, first?.producer)
      yield* separate("b", "l1")
      yield* TestClock.adjust("6 minutes")
      yield* untilIdle
      assert.deepStrictEqual(producersOf(l1, "t"), [])
      yield* reunite("b", "l1")
      yield* eventually(() => producersOf(l1, "t").length === 1)
      assert.notStrictEqual(l1.nodes()[0]?.producer, first?.producer)
    }).pipe(network))

  it.effect("creations and deletions are sent in order, including the deletion of an ephemeral channel", () =>
    Effect.gen(function*() {
      const l1 = yield* lookupd("l1")
      const broker = yield* nsqd("b", [lookupdAddress("l1")], channelsOf({ l1 }))
      yield* broker.channel("t", "c")
      yield* broker.channel("t", "passing#ephemeral")
      yield* eventually(() => l1.channels("t").length === 2)
      yield* broker.broker.deleteChannel("t", "passing#ephemeral")
      yield* eventually(() => l1.channels("t").join() === "c")
      yield* broker.broker.deleteTopic("t")
      yield* broker.topic("t")
      yield* broker.channel("e#ephemeral", "c#ephemeral")
      yield* eventually(() => l1.topics().length === 2)
      assert.deepStrictEqual(producersOf(l1, "t"), ["b"])
      yield* broker.broker.deleteTopic("e#ephemeral")
      yield* eventually(() => l1.topics().join() === "t" && l1.channels("e#ephemeral").length === 0)
    }).pipe(network))

  it.effect("nsqlookupds can be added and removed at run time", () =>
    Effect.gen(function*() {
      const lookupds = { l1: yield* lookupd("l1"), l2: yield* lookupd("l2") }
      const broker = yield* nsqd("b", [lookupdAddress("l1")], channelsOf(lookupds))
      yield* broker.channel("t", "c")
      yield* eventually(() => producersOf(lookupds.l1, "t").length === 1)
      const configure = (addresses: ReadonlyArray<string>) =>
        Effect.orDie(broker.options.put("nsqlookupd_tcp_addresses", JSON.stringify(addresses)))
      yield* configure([lookupdAddress("l2"), lookupdAddress("l2")])
      yield* eventually(() => producersOf(lookupds.l2, "t").length === 1 && lookupds.l1.nodes().length === 0)
      yield* configure([])
      yield* eventually(() => lookupds.l2.nodes().length === 0)
      assert.deepStrictEqual(lookupds.l2.topics(), ["t"])
      // No nsqlookupd is queried any more.
      lookupds.l2.createChannel("u", "c")
      assert.deepStrictEqual((yield* broker.topic("u")).channels, [])
    }).pipe(network))

  it.effect("a refused topic does not prevent the registration of others, and is registered later", () =>
    Effect.gen(function*() {
      const l1 = yield* lookupd("l1", { maxRegistrationsPerProducer: 2 })
      const broker = yield* nsqd("b", [lookupdAddress("l1")], channelsOf({ l1 }))
      yield* eventually(() => l1.nodes().length === 1)
      const [node] = l1.nodes()
      for (const topic of ["t1", "t2", "t3"]) yield* broker.topic(topic)
      yield* eventually(() => producersOf(l1, "t2").length === 1)
      yield* TestClock.adjust("30 seconds")
      yield* untilIdle
      assert.deepStrictEqual([producersOf(l1, "t1"), producersOf(l1, "t3")], [["b"], []])
      yield* broker.broker.deleteTopic("t1")
      yield* eventually(() => producersOf(l1, "t3").length === 1)
      // All on the same connection.
      assert.strictEqual(l1.nodes()[0]?.producer, node?.producer)
      assert.deepStrictEqual([l1.nodes().length, producersOf(l1, "t2")], [1, ["b"]])
    }).pipe(network))

  it.effect("an nsqlookupd that closes the connection after a refusal still gets all other topics", () =>
    Effect.gen(function*() {
      let registered: ReadonlyArray<string> = []
      const strict = (connection: Connection) =>
        Effect.gen(function*() {
          registered = []
          while (true) {
            const chunk: Buffer | undefined = yield* connection.read
            if (chunk === undefined) return
            for (const line of chunk.toString("latin1").split("\n")) {
              if (line.includes("IDENTIFY")) connection.write(encodeReply(Buffer.from("{}")))
              if (line === "REGISTER bad") {
                return void connection.write(encodeReply(Buffer.from("E_INVALID REGISTER too many registrations")))
              }
              if (!line.startsWith("REGISTER") && line !== "PING") continue
              if (line !== "PING") registered = [...registered, line.slice("REGISTER ".length)]
              connection.write(encodeReply(Buffer.from("OK")))
            }
          }
        }).pipe(Effect.ignore)
      yield* impostor("strict", strict)
      const broker = yield* nsqd("b", [lookupdAddress("strict")])
      for (const topic of ["bad", "good", "better"]) yield* Effect.forkChild(broker.topic(topic))
      yield* eventually(() => registered.toSorted().join() === "better,good")
    }).pipe(network))

  it.effect("an nsqlookupd whose broadcast address is not a host is not queried for channels", () =>
    Effect.gen(function*() {
      const says = `{"broadcast_address":"l1/evil?x=","http_port":80,"tcp_port":1,"version":"1"}`
      const { connections } = yield* impostor("odd", (connection) =>
        Effect.andThen(
          Effect.sync(() => void connection.write(encodeReply(Buffer.from(says)))),
          swallow(connection)
        ))
      const asked: Array<string> = []
      const broker = yield* nsqd(
        "b",
        [lookupdAddress("odd")],
        (url) => Effect.as(Effect.sync(() => asked.push(url.href)), `{"channels":[]}`)
      )
      const creator = yield* Effect.forkChild(broker.topic("t"))
      yield* eventually(() => connections() > 0 && creator.pollUnsafe() !== undefined)
      assert.deepStrictEqual(asked, [])
    }).pipe(network))

  it.effect("an nsqlookupd that reports a refused address is queried at its configured host", () =>
    Effect.gen(function*() {
      const l1 = yield* lookupd("l1")
      l1.createChannel("t", "c")
      const asked: Array<string> = []
      const broker = yield* nsqd("b", [lookupdAddress("l1")], (url, origin) => {
        asked.push(`${url.href} ${origin}`)
        return origin === "configured"
          ? Effect.succeed(`{"channels":["c"]}`)
          : Effect.fail(HttpErrorReason.AddressRefusal({ description: "l1: 127.0.0.1 is not an address" }))
      })
      yield* eventually(() => l1.nodes().length === 1)
      assert.deepStrictEqual((yield* broker.topic("t")).channels.map(({ name }) => name), ["c"])
      const url = "http://l1:4161/channels?topic=t"
      assert.deepStrictEqual(asked, [`${url} remote`, `${url} configured`])
    }).pipe(network))
})
