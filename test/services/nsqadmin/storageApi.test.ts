/** Stored messages, rewinds and policies in nsqadmin's API, with real nsqds and one as NSQ's, without an HTTP server of nsqadmin. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { HttpApiTest } from "effect/http-api"
import { AdminApi } from "../../../src/protocol/http/admin/AdminApi.ts"
import { AdminAccess } from "../../../src/services/nsqadmin/AdminAccess.ts"
import { ClusterPolicies } from "../../../src/services/nsqadmin/ClusterPolicies.ts"
import { type AdminAction, Notifications } from "../../../src/services/nsqadmin/Notifications.ts"
import * as PoliciesHandlers from "../../../src/services/nsqadmin/PoliciesHandlers.ts"
import { Redrives } from "../../../src/services/nsqadmin/Redrives.ts"
import * as StorageHandlers from "../../../src/services/nsqadmin/StorageHandlers.ts"
import { StoredMessages } from "../../../src/services/nsqadmin/StoredMessages.ts"
import { request } from "../../integration/nsqadmin/cluster.ts"
import { fakeServer } from "../http/fakeServer.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import { administrator, visitor } from "./access.ts"
import { clusterOf, patientClusterOf, startNsqd } from "./nsqds.ts"

const client = HttpApiTest.groups(AdminApi, ["storage", "policies"])

/** The API over these nsqds, which records notifications. */
const layer = (
  nsqds: ReadonlyArray<string>,
  { access = administrator, patient = false, told = [] }: {
    /** Requests to nsqds have no timeout within a test. */
    readonly patient?: boolean
    readonly access?: AdminAccess["Service"]
    readonly told?: Array<AdminAction>
  } = {}
) =>
  Layer.mergeAll(StorageHandlers.layer, PoliciesHandlers.layer).pipe(
    Layer.provide([StoredMessages.layer, Redrives.layer, ClusterPolicies.layer]),
    Layer.provide([
      FetchHttpClient.layer,
      patient ? patientClusterOf(...nsqds) : clusterOf(...nsqds),
      Layer.succeed(AdminAccess, access),
      Layer.succeed(Notifications, { tell: (action) => Effect.sync(() => void told.push(action)) })
    ]),
    Layer.merge(NodeHttpServer.layerHttpServices),
    Layer.provideMerge(quiet)
  )

const refusal = <A, E extends { readonly _tag: string; readonly message: string }, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(call), ({ _tag, message }) => [_tag, message])

const post = (address: string, path: string, body = "") => request(`http://${address}${path}`, { method: "POST", body })

/** NSQ's nsqd with a topic and a channel. */
const goNsqd = Effect.gen(function*() {
  const address = yield* fakeServer(({ url = "" }, response) => {
    const [host, port] = address.split(":")
    const body = url.startsWith("/stats")
      ? { version: "1.3.0", health: "OK", topics: [{ topic_name: "t", channels: [{ channel_name: "c" }] }] }
      : url === "/info"
      ? { version: "1.3.0", broadcast_address: host, hostname: "go", http_port: Number(port) }
      : undefined
    response.statusCode = body === undefined ? 404 : 200
    response.end(JSON.stringify(body ?? { message: "NOT_FOUND" }))
  })
  return address
})

const notSupported = "NOT_SUPPORTED: NSQ's nsqd does not have this feature"

/** An nsqd with a durable topic, a channel, and three messages. */
const durable = Effect.gen(function*() {
  const nsqd = yield* startNsqd({ durability: "written" })
  yield* post(nsqd.http, "/topic/create?topic=t")
  yield* post(nsqd.http, "/channel/create?topic=t&channel=c")
  for (const body of [`{"n":1}`, `{"n":2}`]) yield* post(nsqd.http, "/pub?topic=t", body)
  yield* post(nsqd.http, "/pub?topic=t&defer=3600000", `{"n":3}`)
  return nsqd
})

describe("stored messages in nsqadmin's API", () => {
  it.live("without nsqlookupds the messages of an nsqd are not delayed by another one that does not reply", () =>
    Effect.gen(function*() {
      const { http: node } = yield* durable
      const frozen = yield* fakeServer(() => {})
      yield* Effect.gen(function*() {
        const { storage } = yield* client
        const { messages } = yield* storage.browse({ params: { node }, query: { topic: "t", channel: "c" } })
        assert.lengthOf(messages, 3)
      }).pipe(Effect.provide(layer([frozen, node], { patient: true })))
    }))

  it.live("messages are shown by state and filter in pages, and single ones are deleted and requeued", () =>
    Effect.gen(function*() {
      const { http: node } = yield* durable
      const told: Array<AdminAction> = []
      yield* Effect.gen(function*() {
        const { storage } = yield* client
        const browse = (query: Omit<Parameters<typeof storage.browse>[0]["query"], "topic">) =>
          storage.browse({ params: { node }, query: { topic: "t", channel: "c", ...query } })
        const all = yield* browse({})
        assert.deepStrictEqual(all.messages.map(({ sequence, state }) => [sequence, state]), [
          [1, "waiting"],
          [2, "waiting"],
          [3, "deferred"]
        ])
        const first = yield* browse({ limit: "1" })
        assert.strictEqual(first.next, 2)
        const second = yield* browse({ limit: "1", from: String(first.next) })
        assert.deepStrictEqual(second.messages.map(({ body }) => body), [`{"n":2}`])
        assert.deepStrictEqual((yield* browse({ json: "n=3" })).messages.map(({ sequence }) => sequence), [3])
        assert.lengthOf((yield* browse({ state: "deferred" })).messages, 1)

        const one = { query: { topic: "t", channel: "c" } }
        yield* storage.remove({ params: { node, sequence: "1" }, ...one })
        yield* storage.requeue({ params: { node, sequence: "3" }, ...one })
        assert.deepStrictEqual(
          (yield* browse({ state: "waiting" })).messages.map(({ sequence }) => sequence),
          [2, 3]
        )
        assert.deepStrictEqual(told, [
          { action: "delete_message", node, sequence: "1", topic: "t", channel: "c" },
          { action: "requeue_message", node, sequence: "3", topic: "t", channel: "c" }
        ])
        assert.deepStrictEqual(yield* refusal(storage.remove({ params: { node, sequence: "1" }, ...one })), [
          "NotFound",
          "MESSAGE_NOT_FOUND"
        ])
        assert.deepStrictEqual(yield* refusal(storage.remove({ params: { node, sequence: "x" }, ...one })), [
          "BadRequest",
          "INVALID_SEQUENCE"
        ])
        assert.deepStrictEqual(yield* refusal(browse({ regex: "(" })), [
          "BadRequest",
          "INVALID_ARG_REGEX: must be a regular expression in the syntax of RE2"
        ])
      }).pipe(Effect.provide(layer([node], { told })))
    }))

  it.live("messages of a topic without a log are named by their ids", () =>
    Effect.gen(function*() {
      const { http: node } = yield* startNsqd()
      const told: Array<AdminAction> = []
      yield* post(node, "/topic/create?topic=t")
      yield* post(node, "/channel/create?topic=t&channel=c")
      for (const body of ["one", "two"]) yield* post(node, "/pub?topic=t", body)
      yield* post(node, "/pub?topic=t&defer=3600000", "three")
      yield* Effect.gen(function*() {
        const { storage } = yield* client
        const query = { topic: "t", channel: "c" }
        const browse = (more: { readonly limit?: string; readonly from?: string } = {}) =>
          storage.browse({ params: { node }, query: { ...query, ...more } })
        const first = yield* browse({ limit: "2" })
        const second = yield* browse({ limit: "2", from: String(first.next) })
        const messages = [...first.messages, ...second.messages]
        assert.deepStrictEqual(messages.map(({ body, sequence, state }) => [body, sequence, state]), [
          ["one", undefined, "waiting"],
          ["two", undefined, "waiting"],
          ["three", undefined, "deferred"]
        ])
        const [one, , three] = messages.map(({ id }) => id)
        yield* storage.remove({ params: { node, sequence: one ?? "" }, query })
        yield* storage.requeue({ params: { node, sequence: three ?? "" }, query })
        assert.deepStrictEqual((yield* browse()).messages.map(({ body, state }) => [body, state]), [
          ["two", "waiting"],
          ["three", "waiting"]
        ])
        assert.deepStrictEqual(told.map(({ sequence }) => sequence), [one, three])
        assert.deepStrictEqual(yield* refusal(storage.remove({ params: { node, sequence: one ?? "" }, query })), [
          "NotFound",
          "MESSAGE_NOT_FOUND"
        ])
      }).pipe(Effect.provide(layer([node], { told })))
    }))

  it.live("finished messages of a topic without a log, and NSQ's nsqd, are refused with the reason, and other hosts are not requested", () =>
    Effect.gen(function*() {
      const { http: node } = yield* startNsqd()
      const go = yield* goNsqd
      yield* post(node, "/topic/create?topic=t")
      yield* Effect.gen(function*() {
        const { storage } = yield* client
        const browse = (node: string) =>
          refusal(storage.browse({ params: { node }, query: { topic: "t", state: "retained" } }))
        const [tag, message] = yield* browse(node)
        assert.strictEqual(tag, "BadRequest")
        assert.match(message ?? "", /^NOT_DURABLE: ./)
        assert.deepStrictEqual(yield* browse(go), ["BadRequest", notSupported])
        assert.deepStrictEqual(yield* browse("127.0.0.1:1"), ["NotFound", "NODE_NOT_FOUND"])
      }).pipe(Effect.provide(layer([node, go])))
    }))

  it.live("dead letters of an nsqd are published again, to another topic and at a rate, until that is cancelled", () =>
    Effect.gen(function*() {
      const { http: node } = yield* durable
      const told: Array<AdminAction> = []
      yield* post(node, "/channel/create?topic=t&channel=d")
      yield* request(`http://${node}/policies`, {
        method: "PUT",
        body: `{"match":"t/d","max_depth":1,"on_full":"dead_letter"}`
      })
      yield* post(node, "/mpub?topic=t", "first\nsecond\nthird\nfourth")
      yield* Effect.gen(function*() {
        const { storage } = yield* client
        const params = { node }
        const dead = storage.browse({ params, query: { topic: "t.dlq" } }).pipe(
          Effect.repeat({ until: ({ messages }) => messages.length === 3 })
        )
        const letters = yield* Effect.retry(dead, { while: ({ message }) => message === "TOPIC_NOT_FOUND" })
        const [letter] = letters.messages
        assert.deepStrictEqual([letter?.headers?.["nsq-origin-topic"], letter?.headers?.["nsq-dead-reason"]], [
          "t",
          "limit"
        ])

        const of = { params, query: { topic: "t.dlq" } }
        assert.strictEqual((yield* storage.redriveProgress(of)).redrive, null)
        yield* storage.redrive({ params, payload: { topic: "t.dlq", regex: "^sec", to: "other" } })
        const ended = storage.redriveProgress(of).pipe(
          Effect.repeat({ until: ({ redrive }) => redrive?.state !== "running" })
        )
        const first = (yield* ended).redrive
        assert.deepStrictEqual([first?.state, first?.moved, first?.to], ["done", 1, "other"])

        yield* storage.redrive({ params, payload: { topic: "t.dlq", channel: "redrive", to: "other", rate: 1 } })
        assert.deepStrictEqual(
          yield* refusal(storage.redrive({ params, payload: { topic: "t.dlq" } })),
          ["BadRequest", "REDRIVE_RUNNING"]
        )
        assert.strictEqual((yield* storage.cancelRedrive(of)).redrive?.state, "cancelled")
        assert.deepStrictEqual(told, [
          { action: "redrive_topic", node, topic: "t.dlq" },
          { action: "redrive_topic", node, topic: "t.dlq", channel: "redrive" },
          { action: "cancel_redrive", node, topic: "t.dlq" }
        ])
        assert.deepStrictEqual(
          yield* refusal(storage.redrive({ params, payload: { topic: "t.dlq", json: "x" } })),
          ["BadRequest", "INVALID_ARG_JSON: must be a path and a value, such as user.id=42"]
        )
        assert.deepStrictEqual(
          yield* refusal(storage.redrive({ params, payload: { topic: "$" } })),
          ["BadRequest", "INVALID_TOPIC"]
        )
      }).pipe(Effect.provide(layer([node], { told })))
    }))

  it.live("a rewind is previewed and done on each nsqd, and an nsqd that cannot do so has its error", () =>
    Effect.gen(function*() {
      const first = yield* durable
      const go = yield* goNsqd
      const told: Array<AdminAction> = []
      yield* Effect.gen(function*() {
        const { storage } = yield* client
        const params = { topic: "t", channel: "c" }
        const expected = [
          { node: first.http, messages: 3, error: "" },
          { node: go, messages: null, error: notSupported }
        ]
        const preview = yield* storage.preview({ params, query: { to: "beginning" } })
        assert.sameDeepMembers([...preview.nodes], expected)
        assert.deepStrictEqual(told, [])
        const done = yield* storage.rewind({ params, payload: { to: "beginning" } })
        assert.sameDeepMembers([...done.nodes], expected)
        assert.match(done.message, /^WARNING: /)
        assert.deepStrictEqual(told, [{ action: "rewind_channel", topic: "t", channel: "c" }])
        assert.deepStrictEqual((yield* refusal(storage.preview({ params, query: { to: "nowhere" } })))[0], "BadRequest")
      }).pipe(Effect.provide(layer([first.http, go], { told })))
    }))

  it.live("only administrators read bodies and change messages and policies", () =>
    Effect.gen(function*() {
      const { http: node } = yield* durable
      yield* Effect.gen(function*() {
        const { policies, storage } = yield* client
        const forbidden = ["Forbidden", "FORBIDDEN"]
        const query = { topic: "t", channel: "c" }
        const params = { node, sequence: "1" }
        assert.deepStrictEqual(yield* refusal(storage.browse({ params: { node }, query })), forbidden)
        assert.deepStrictEqual(yield* refusal(storage.remove({ params, query })), forbidden)
        assert.deepStrictEqual(yield* refusal(storage.requeue({ params, query })), forbidden)
        assert.deepStrictEqual(
          yield* refusal(storage.rewind({ params: { topic: "t", channel: "c" }, payload: { to: "end" } })),
          forbidden
        )
        assert.deepStrictEqual(
          yield* refusal(storage.redrive({ params: { node }, payload: { topic: "t" } })),
          forbidden
        )
        assert.deepStrictEqual(
          yield* refusal(storage.cancelRedrive({ params: { node }, query: { topic: "t" } })),
          forbidden
        )
        assert.deepStrictEqual(yield* refusal(policies.set({ payload: { match: "t", max_depth: 1 } })), forbidden)
        assert.deepStrictEqual(yield* refusal(policies.remove({ query: { match: "t" } })), forbidden)
        assert.lengthOf((yield* policies.list({ query: {} })).nodes, 1)
      }).pipe(Effect.provide(layer([node], { access: visitor })))
    }))
})

describe("policies in nsqadmin's API", () => {
  it.live("with a timeout the policies of nsqds that reply are not delayed by one that does not", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd({ policies: [{ match: "t*", max_depth: 5 }] })
      yield* post(http, "/topic/create?topic=t")
      const frozen = yield* fakeServer(() => {})
      yield* Effect.gen(function*() {
        const { policies } = yield* client
        const listed = yield* policies.list({ query: { timeout: "3000" } })
        assert.deepStrictEqual(listed.nodes.map(({ error, node }) => [node, error]), [[http, ""]])
        assert.include(listed.message, frozen)
        const applied = yield* policies.inForce({ params: { topic: "t" }, query: { timeout: "3000" } })
        assert.deepStrictEqual(applied.nodes.map(({ fields, node }) => [node, Object.keys(fields ?? {})]), [
          [http, ["max_depth"]]
        ])
        for (const timeout of ["0", "1s", "-1"]) {
          assert.deepStrictEqual(yield* refusal(policies.list({ query: { timeout } })), [
            "BadRequest",
            "INVALID_ARG_TIMEOUT"
          ])
        }
      }).pipe(Effect.provide(layer([frozen, http], { patient: true })))
    }))

  it.live("a policy is set on, shown for and deleted from all nsqds, with the error of each that fails", () =>
    Effect.gen(function*() {
      const first = yield* startNsqd({ durability: "written" })
      const second = yield* startNsqd()
      const go = yield* goNsqd
      yield* post(first.http, "/topic/create?topic=t")
      const told: Array<AdminAction> = []
      yield* Effect.gen(function*() {
        const { policies } = yield* client
        const policy = { match: "t*", max_depth: 100 }
        const set = yield* policies.set({ payload: policy })
        const results = [
          { node: first.http, error: "" },
          { node: second.http, error: "" },
          { node: go, error: notSupported }
        ]
        assert.sameDeepMembers([...set.nodes], results)
        const listed = yield* policies.list({ query: {} })
        assert.sameDeepMembers([...listed.nodes], [
          { node: first.http, policies: [{ ...policy, source: "api" }], error: "" },
          { node: second.http, policies: [{ ...policy, source: "api" }], error: "" },
          { node: go, policies: null, error: "" }
        ])
        const applied = yield* policies.inForce({ params: { topic: "t" }, query: {} })
        const max_depth = { value: 100, match: "t*", source: "api" as const }
        assert.deepStrictEqual(applied.nodes.find(({ node }) => node === first.http)?.fields, { max_depth })
        const removed = yield* policies.remove({ query: { match: "t*" } })
        assert.sameDeepMembers([...removed.nodes], results)
        assert.deepStrictEqual(told, [
          { action: "set_policy", policy: "t*" },
          { action: "delete_policy", policy: "t*" }
        ])
      }).pipe(Effect.provide(layer([first.http, second.http, go], { told })))
    }))

  it.live("a policy that is not valid is refused with the field and the reason", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd({ policies: [] })
      yield* Effect.gen(function*() {
        const { policies } = yield* client
        const [tag, message] = yield* refusal(policies.set({ payload: { match: "t", max_depth: -1 } }))
        assert.strictEqual(tag, "BadRequest")
        assert.match(message ?? "", /^INVALID_POLICY: max_depth: must be/)
        assert.match((yield* refusal(policies.set({ payload: { match: "t", maxdepth: 1 } })))[1] ?? "", /maxdepth/)
        assert.deepStrictEqual(yield* refusal(policies.remove({ query: { match: "t" } })), [
          "NotFound",
          "POLICY_NOT_FOUND"
        ])
      }).pipe(Effect.provide(layer([http])))
    }))
})
