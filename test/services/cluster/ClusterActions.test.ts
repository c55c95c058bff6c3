import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Cluster } from "../../../src/services/cluster/Cluster.ts"
import { ClusterActions } from "../../../src/services/cluster/ClusterActions.ts"
import { ClusterSources, type Sources } from "../../../src/services/cluster/ClusterSources.ts"
import { DaemonHttp } from "../../../src/services/http/DaemonHttp.ts"
import * as LongResponse from "../../../src/services/http/LongResponse.ts"
import { unreachable } from "../http/httpErrors.ts"
import { nodeNamed } from "../nsqadmin/cluster.ts"

/** Fake daemons that record their requests and succeed, except those in `dead`. */
const world = (sources: Partial<Sources>, dead: ReadonlyArray<string>) => {
  const requests: Array<string> = []
  const responseOf = (path: string): unknown => {
    if (path.startsWith("/lookup") || path.startsWith("/nodes")) {
      return { producers: ["a", "b"].map((name) => ({ broadcast_address: name, http_port: 4151 })) }
    }
    return path === "/info" ? { broadcast_address: "n", http_port: 4151 } : { topics: [{ topic_name: "t" }] }
  }
  const reach = (address: string) => dead.includes(address) ? Effect.fail(unreachable(address)) : Effect.void
  const daemons = DaemonHttp.of({
    get: (schema, address, path) =>
      Effect.andThen(reach(address), Effect.orDie(Schema.decodeUnknownEffect(schema)(responseOf(path)))),
    getByTopic: (schemas, address, path) =>
      Effect.andThen(
        reach(address),
        Effect.orDie(LongResponse.decode(schemas, Buffer.from(JSON.stringify(responseOf(path)))))
      ),
    forEachTopic: () => Effect.die("no action requests it"),
    post: (address, path) => Effect.andThen(reach(address), Effect.sync(() => void requests.push(`${address}${path}`))),
    exchange: () => Effect.die("no action requests it"),
    send: (method, address, path) =>
      Effect.andThen(reach(address), Effect.sync(() => void requests.push(`${method} ${address}${path}`)))
  })
  const layer = ClusterActions.layer.pipe(
    Layer.provide(Cluster.layer),
    Layer.provide(ClusterSources.layer({ lookupd: [], nsqd: [], ...sources })),
    Layer.provide(Layer.succeed(DaemonHttp, daemons))
  )
  return { requests, layer }
}

const lookupd = ["l1", "l2"]

describe("ClusterActions", () => {
  it.effect("actions go to the nsqlookupds and then to the nsqds, in NSQ's order", () => {
    const { layer, requests } = world({ lookupd }, [])
    return Effect.gen(function*() {
      const { act, closeClient, create, drain, tombstone } = yield* ClusterActions
      const steps = (action: Effect.Effect<unknown, unknown>) => {
        requests.length = 0
        return Effect.map(action, () => [...requests])
      }
      assert.deepStrictEqual(yield* steps(create("t", undefined)), [
        "l1/topic/create?topic=t",
        "l2/topic/create?topic=t"
      ])
      assert.deepStrictEqual(yield* steps(create("t", "c#ephemeral")), [
        "l1/topic/create?topic=t",
        "l2/topic/create?topic=t",
        "l1/channel/create?topic=t&channel=c%23ephemeral",
        "l2/channel/create?topic=t&channel=c%23ephemeral",
        "a:4151/channel/create?topic=t&channel=c%23ephemeral",
        "b:4151/channel/create?topic=t&channel=c%23ephemeral"
      ])
      assert.deepStrictEqual(yield* steps(act("pause", "t", "c")), [
        "a:4151/channel/pause?topic=t&channel=c",
        "b:4151/channel/pause?topic=t&channel=c"
      ])
      assert.deepStrictEqual(yield* steps(act("delete", "t", undefined)), [
        "l1/topic/delete?topic=t",
        "l2/topic/delete?topic=t",
        "a:4151/topic/delete?topic=t",
        "b:4151/topic/delete?topic=t"
      ])
      assert.deepStrictEqual(yield* steps(tombstone("t", "n:4151")), [
        "l1/topic/tombstone?topic=t&node=n%3A4151",
        "l2/topic/tombstone?topic=t&node=n%3A4151",
        "n:4151/topic/delete?topic=t"
      ])
      const node = nodeNamed("n")
      assert.deepStrictEqual(yield* steps(drain(node, true)), ["PUT n:4151/drain"])
      assert.deepStrictEqual(yield* steps(drain(node, false)), ["DELETE n:4151/drain"])
      assert.deepStrictEqual(yield* steps(closeClient(node, "[::1]:5000")), [
        "n:4151/client/close?address=%5B%3A%3A1%5D%3A5000"
      ])
    }).pipe(Effect.provide(layer))
  })

  it.effect("an action returns the errors of the daemons that failed, and the others perform it", () => {
    const { layer, requests } = world({ lookupd }, ["l2", "a:4151"])
    return Effect.gen(function*() {
      const { act } = yield* ClusterActions
      const failures = yield* act("delete", "t", "c")
      assert.deepStrictEqual(failures.map(({ address }) => address), ["l2", "l2", "a:4151"])
      assert.deepStrictEqual(requests, [
        "l1/channel/delete?topic=t&channel=c",
        "b:4151/channel/delete?topic=t&channel=c"
      ])
    }).pipe(Effect.provide(layer))
  })

  it.effect("create fails if no daemon created the topic", () => {
    const { layer } = world({ lookupd }, lookupd)
    return Effect.gen(function*() {
      const { create } = yield* ClusterActions
      const { message } = yield* Effect.flip(create("t", undefined))
      assert.strictEqual(
        message,
        `failed to reach any nsqlookupd: ${lookupd.map((address) => unreachable(address).message).join("\n")}`
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("tombstone fails if the nsqd is unreachable, after hiding it from consumers", () => {
    const { layer, requests } = world({ lookupd }, ["n:4151"])
    return Effect.gen(function*() {
      const { tombstone } = yield* ClusterActions
      assert.match((yield* Effect.flip(tombstone("t", "n:4151"))).message, /n:4151/)
      assert.lengthOf(requests, 2)
    }).pipe(Effect.provide(layer))
  })

  it.effect("create goes to each nsqd if there are no nsqlookupds", () => {
    const { layer, requests } = world({ nsqd: ["x:1", "y:1"] }, [])
    return Effect.gen(function*() {
      const { create } = yield* ClusterActions
      assert.deepStrictEqual(yield* create("t", "c"), [])
      assert.deepStrictEqual(requests, [
        "x:1/topic/create?topic=t",
        "y:1/topic/create?topic=t",
        "x:1/channel/create?topic=t&channel=c",
        "y:1/channel/create?topic=t&channel=c"
      ])
    }).pipe(Effect.provide(layer))
  })
})
