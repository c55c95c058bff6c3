import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { readFileSync } from "node:fs"
import { type AdminError, NsqdApi } from "../../../src/services/admin/index.ts"
import { NodeClient } from "../../../src/services/client/index.ts"
import { TestCluster } from "../../../src/testing/index.ts"

/** The calls to the nsqd of a cluster. */
const nsqd = Effect.gen(function*() {
  const { nsqds: [node] } = yield* TestCluster
  assert(node !== undefined)
  return { node, api: yield* NsqdApi.make(node.httpAddress) }
})

const cluster = Effect.provide(TestCluster.layer({ nsqlookupds: 0, nsqd: { durability: "written", maxMsgSize: 100 } }))

const topicStats = Effect.fnUntraced(function*(api: NsqdApi.NsqdApi, topic: string) {
  const { topics } = yield* api.stats({ topic, memory: false })
  return topics?.[0]
})

const reasonOf = <A>(call: Effect.Effect<A, AdminError>) => Effect.map(Effect.flip(call), ({ reason }) => reason)

describe("NsqdApi", () => {
  it.effect("topics and channels are created, paused, emptied and deleted", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      yield* api.createTopic("t")
      yield* api.createChannel("t", "c")
      yield* api.pauseTopic("t")
      yield* api.pauseChannel("t", "c")
      yield* api.publish("t", "waits in the topic")
      const paused = yield* topicStats(api, "t")
      assert.deepStrictEqual([paused?.paused, paused?.depth, paused?.channels?.[0]?.paused], [true, 1, true])
      yield* api.emptyTopic("t")
      assert.strictEqual((yield* topicStats(api, "t"))?.depth, 0)
      yield* api.unpauseTopic("t")
      yield* api.publish("t", Buffer.from("waits in the channel"))
      assert.strictEqual((yield* topicStats(api, "t"))?.channels?.[0]?.depth, 1)
      yield* api.unpauseChannel("t", "c")
      yield* api.emptyChannel("t", "c")
      assert.strictEqual((yield* topicStats(api, "t"))?.channels?.[0]?.depth, 0)
      yield* api.deleteChannel("t", "c")
      assert.deepStrictEqual((yield* topicStats(api, "t"))?.channels, [])
      yield* api.deleteTopic("t")
      assert.isUndefined(yield* topicStats(api, "t"))
    }).pipe(cluster))

  it.effect("the process of nsqd is reported, and connections are listed and closed", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      const { connection_count, health, memory } = yield* api.node
      assert.deepStrictEqual([health, connection_count], ["OK", 0])
      assert.isAbove(memory.rss_bytes, 0)
      assert.deepStrictEqual(yield* api.connections({ topic: "t" }), [])
      assert.strictEqual((yield* reasonOf(api.closeConnection("127.0.0.1:1")))._tag, "Refusal")
    }).pipe(cluster))

  it.effect("a drain begins, says what is left, and ends", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.publish("t", "tea")
      const { drained, draining, topics } = yield* api.drain
      assert.deepStrictEqual([draining, drained, topics.map((topic) => [topic.topic_name, topic.depth])], [
        true,
        false,
        [["t", 1]]
      ])
      assert.strictEqual((yield* reasonOf(api.publish("t", "milk")))._tag, "Refusal")
      yield* api.emptyTopic("t")
      assert.isTrue((yield* api.drainProgress).drained)
      yield* api.endDrain
      yield* api.publish("t", "milk")
    }).pipe(cluster))

  it.effect("messages are published one by one, with a delay, and many with one request", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      yield* api.createChannel("t", "c")
      yield* api.publish("t", "later", { delay: "1 minute" })
      yield* api.publishAll("t", ["a\nb", Buffer.from([0, 255])])
      yield* api.publishAll("t", [])
      const channel = (yield* topicStats(api, "t"))?.channels?.[0]
      assert.deepStrictEqual([channel?.depth, channel?.deferred_count], [2, 1])
    }).pipe(cluster))

  it.effect("a publish has headers and a time-to-live, and is stored once by its key", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      yield* api.createChannel("t", "c")
      const options = {
        ttl: "1 minute",
        headers: { "Content-Type": "text/plain", city: "Zürich" },
        dedupKey: "1"
      } as const
      yield* api.setPolicy({ match: "t", dedup_window: "1h" })
      yield* api.publish("t", "tea", options)
      yield* api.publish("t", "tea", options)
      yield* api.publishAll("t", ["milk", "sugar"], { headers: { traceparent: "00-1-2-01" }, dedupKey: "2" })
      yield* api.publishAll("t", ["milk", "sugar"], { dedupKey: "2" })
      const { messages } = yield* api.messages("t", { channel: "c" })
      assert.deepStrictEqual(messages.map(({ body }) => body), ["tea", "milk", "sugar"])
      assert.include(JSON.stringify(messages[0]?.headers), "Zürich")
      assert.strictEqual(
        (yield* reasonOf(api.publish("t", "x", { headers: { "nsq-dead-reason": "y" } })))._tag,
        "Refusal"
      )
    }).pipe(cluster))

  it.live("headers that HTTP cannot carry refuse the publish, as nsqd does", () =>
    Effect.gen(function*() {
      const api = yield* NsqdApi.make("127.0.0.1:1")
      for (const headers of [{ "two words": "x" }, { lines: "x\ny" }, { ends: " x" }]) {
        const publishes = [api.publish("t", "x", { headers }), api.publishAll("t", ["x"], { headers })]
        const reasons = yield* Effect.forEach(publishes, reasonOf)
        const codes = reasons.map((reason) => reason._tag === "Refusal" ? reason.code : reason._tag)
        assert.deepStrictEqual(codes, ["INVALID_HEADERS", "INVALID_HEADERS"])
      }
    }).pipe(Effect.provide(NodeClient.layer)))

  it.effect("a message that no consumer holds cannot be rejected", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      yield* api.createChannel("t", "c")
      const refused = yield* reasonOf(api.rejectMessage("t", "c", "0".repeat(16), "burnt"))
      assert.strictEqual(refused._tag === "Refusal" ? refused.code : refused._tag, "MESSAGE_NOT_IN_FLIGHT")
    }).pipe(cluster))

  it.effect("docs/admin.md lists every call", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      const [, list = ""] = /^\| `NsqdApi\.make` +\| ([^|]*)\|/m.exec(readFileSync("docs/admin.md", "utf8")) ?? []
      const listed = Array.from(list.matchAll(/`(\w+)`/g), ([, name = ""]) => name)
      assert.deepStrictEqual(listed.toSorted(), Object.keys(api).filter((name) => name !== "address").toSorted())
    }).pipe(cluster))

  it.effect("the state, the settings and the figures of the daemon are returned", () =>
    Effect.gen(function*() {
      const { api, node } = yield* nsqd
      yield* api.ping
      const info = yield* api.info
      assert.deepStrictEqual([info.broadcast_address, info.tcp_port], [node.host, 4150])
      assert.isDefined((yield* api.stats()).memory)
      assert.isUndefined((yield* api.stats({ memory: false })).memory)
      assert.include(yield* api.metrics, "# TYPE")
      yield* api.freeMemory
    }).pipe(cluster))

  it.effect("options are read in their own types, and those that can be changed are changed", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      assert.strictEqual(yield* api.config("max_msg_size"), 100)
      assert.strictEqual(yield* api.config("broadcast_address"), "10.0.0.1")
      yield* api.setLookupdAddresses(["10.0.1.9:4160"])
      assert.deepStrictEqual(yield* api.config("nsqlookupd_tcp_addresses"), ["10.0.1.9:4160"])
      yield* api.setLogLevel("error")
      assert.strictEqual(yield* api.config("log_level"), 4)
      const unknown = yield* reasonOf(api.config("no such/option"))
      assert.strictEqual(unknown._tag === "Refusal" ? unknown.code : unknown._tag, "NOT_FOUND")
    }).pipe(cluster))

  it.effect("the durability of a topic is changed and reset", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      assert.strictEqual(yield* api.setDurability("t", "synced"), "synced")
      assert.strictEqual(yield* api.setDurability("t", "default"), "written")
      assert.deepStrictEqual(yield* reasonOf(api.setDurability("unknown", "synced")), {
        _tag: "TopicNotFound",
        topic: "unknown"
      })
    }).pipe(cluster))

  it.effect("a channel is previewed and moved to another place of its topic's log", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      yield* api.createChannel("t", "c")
      yield* api.publishAll("t", ["a", "b", "c"])
      const preview = yield* api.seek("t", "c", 2, { preview: true })
      assert.deepStrictEqual(preview, { sequence: 2, messages: 2, moved: false })
      assert.strictEqual((yield* topicStats(api, "t"))?.channels?.[0]?.depth, 3)
      assert.deepStrictEqual(yield* api.seek("t", "c", "end"), { sequence: 4, messages: 0, moved: true })
      assert.strictEqual((yield* api.seek("t", "c", new Date(0), { preview: true })).messages, 3)
      yield* api.setDurability("t", "memory")
      const reason = yield* reasonOf(api.seek("t", "c", "beginning"))
      assert.strictEqual(reason._tag === "Refusal" ? reason.code : reason._tag, "NOT_DURABLE")
    }).pipe(cluster))

  it.effect("a range of messages is read as a stream, without a channel", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      const bodies = Array.from({ length: 2500 }, (_, i) => `m${i} ä`)
      yield* api.publishAll("t", bodies)
      const read = (options?: NsqdApi.ReadOptions) =>
        Effect.map(
          Stream.runCollect(api.readMessages("t", options)),
          (messages) => Array.from(messages, ({ body }) => body)
        )
      assert.deepStrictEqual(yield* read(), bodies)
      assert.deepStrictEqual(yield* read({ from: 3, to: 5 }), bodies.slice(2, 4))
      assert.deepStrictEqual(yield* read({ from: new Date(0), regex: "m249[01] " }), bodies.slice(2490, 2492))
      assert.deepStrictEqual(yield* read({ from: "end" }), [])
      const missing = yield* reasonOf(Stream.runDrain(api.readMessages("missing")))
      assert.strictEqual(missing._tag, "TopicNotFound")
      yield* api.setDurability("t", "memory")
      const reason = yield* reasonOf(Stream.runDrain(api.readMessages("t")))
      assert.strictEqual(reason._tag === "Refusal" ? reason.code : reason._tag, "NOT_DURABLE")
    }).pipe(cluster))

  it.effect("single messages are deleted and requeued by their sequences", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      yield* api.createChannel("t", "c")
      yield* api.publish("t", "now")
      yield* api.publish("t", "later", { delay: "1 hour" })
      yield* api.deleteMessage("t", "c", 1)
      yield* api.requeueMessage("t", "c", 2)
      const channel = (yield* topicStats(api, "t"))?.channels?.[0]
      assert.deepStrictEqual([channel?.depth, channel?.deferred_count], [1, 0])
      const reason = yield* reasonOf(api.deleteMessage("t", "c", 1))
      assert.strictEqual(reason._tag === "Refusal" ? reason.code : reason._tag, "MESSAGE_NOT_FOUND")
    }).pipe(cluster))

  it.effect("messages of a topic that is not durable are browsed in pages, deleted and requeued by their ids", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      yield* api.setDurability("t", "memory")
      yield* api.createChannel("t", "c")
      yield* api.publish("t", "now")
      yield* api.publish("t", "later", { delay: "1 hour" })
      const first = yield* api.messages("t", { channel: "c", limit: 1 })
      const second = yield* api.messages("t", { channel: "c", from: String(first.next) })
      assert.deepStrictEqual(first.messages.concat(second.messages).map(({ body, state }) => [body, state]), [
        ["now", "waiting"],
        ["later", "deferred"]
      ])
      assert.isNull(second.next)
      yield* api.deleteMessage("t", "c", first.messages[0]?.id ?? "")
      yield* api.requeueMessage("t", "c", second.messages[0]?.id ?? "")
      const channel = (yield* topicStats(api, "t"))?.channels?.[0]
      assert.deepStrictEqual([channel?.depth, channel?.deferred_count], [1, 0])
      const reason = yield* reasonOf(api.deleteMessage("t", "c", 1))
      assert.strictEqual(reason._tag === "Refusal" ? reason.code : reason._tag, "MISSING_ARG_ID")
    }).pipe(cluster))

  it.effect("policies are set, listed, resolved and deleted, and a wrong one is refused with the field", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      const policy = { match: "orders.*", max_depth: 100, on_full: "reject" as const }
      assert.deepStrictEqual(yield* api.setPolicy(policy), { ...policy, source: "api" })
      assert.deepStrictEqual(yield* api.policies, [{ ...policy, source: "api" }])
      const { fields } = yield* api.policyInForce("orders.new", "billing")
      assert.deepStrictEqual((yield* api.policyInForce("orders.new")).fields["max_depth"], {
        value: 100,
        match: "orders.*",
        source: "api"
      })
      assert.isObject(fields)
      const wrong = yield* reasonOf(api.setPolicy({ match: "orders.*", max_depth: -1 }))
      assert(wrong._tag === "Refusal")
      assert.match(wrong.description, /^INVALID_POLICY: max_depth: must be/)
      yield* api.deletePolicy("orders.*")
      assert.deepStrictEqual(yield* api.policies, [])
      const missing = yield* reasonOf(api.deletePolicy("orders.*"))
      assert.strictEqual(missing._tag === "Refusal" ? missing.code : missing._tag, "POLICY_NOT_FOUND")
    }).pipe(cluster))

  it.effect("a topic or channel that does not exist has a reason of its own, other refusals have NSQ's code", () =>
    Effect.gen(function*() {
      const { api } = yield* nsqd
      yield* api.createTopic("t")
      assert.deepStrictEqual(yield* reasonOf(api.pauseTopic("u")), { _tag: "TopicNotFound", topic: "u" })
      assert.deepStrictEqual(yield* reasonOf(api.createChannel("u", "c")), { _tag: "TopicNotFound", topic: "u" })
      const missing = yield* Effect.flip(api.deleteChannel("t", "c"))
      assert.deepStrictEqual(missing.reason, { _tag: "ChannelNotFound", topic: "t", channel: "c" })
      assert.strictEqual(missing.message, "10.0.0.1:4151: channel t:c does not exist")
      const refusal = { _tag: "Refusal" as const, status: 400, code: "INVALID_TOPIC", description: "INVALID_TOPIC" }
      assert.deepStrictEqual(yield* reasonOf(api.createTopic("not a name & more")), refusal)
      const large = yield* Effect.flip(api.publish("t", "x".repeat(101)))
      assert.strictEqual(large.message, "10.0.0.1:4151: got response 413 MSG_TOO_BIG")
    }).pipe(cluster))

  it.effect("a full disk makes ping fail with the reason", () =>
    Effect.gen(function*() {
      const { api, node } = yield* nsqd
      yield* api.createTopic("t")
      node.disk.fail((operation) => operation === "write" ? "ENOSPC" : undefined)
      yield* Effect.flip(api.publish("t", "x"))
      const reason = yield* reasonOf(api.ping)
      assert.match(reason._tag === "Unhealthy" ? reason.description : reason._tag, /^NOK - .*no space left/)
      const ready = yield* reasonOf(api.ready)
      assert.match(ready._tag === "Unhealthy" ? ready.description : ready._tag, /^NOT READY - /)
    }).pipe(cluster))

  it.effect("a daemon that does not run is a failed request, whose error names it without credentials", () =>
    Effect.gen(function*() {
      const { node } = yield* nsqd
      yield* node.kill
      const api = yield* NsqdApi.make(`http://user:secret@${node.httpAddress}/`)
      const error = yield* Effect.flip(api.ping)
      assert.strictEqual(error.reason._tag, "RequestFailure")
      assert.include(error.message, "10.0.0.1:4151")
      assert.notInclude(error.message, "secret")
      assert.notInclude(error.address, "secret")
    }).pipe(cluster))

  it.effect("a request that takes longer than its timeout fails", () =>
    Effect.gen(function*() {
      const { node } = yield* nsqd
      const { separate } = yield* TestCluster
      yield* separate(TestCluster.program, node)
      const api = yield* NsqdApi.make(node.httpAddress, { timeout: 0 })
      const reason = yield* reasonOf(api.info)
      assert.strictEqual(reason._tag === "RequestFailure" ? reason.error.reason._tag : reason._tag, "Timeout")
    }).pipe(cluster))

  it.effect("a response above the limit fails", () =>
    Effect.gen(function*() {
      const { node } = yield* nsqd
      const api = yield* NsqdApi.make(node.httpAddress, { maxResponseSize: 10 })
      const reason = yield* reasonOf(api.info)
      assert.strictEqual(reason._tag === "RequestFailure" ? reason.error.reason._tag : reason._tag, "ResponseTooLarge")
    }).pipe(cluster))
})
