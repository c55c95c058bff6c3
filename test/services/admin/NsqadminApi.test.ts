import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { NsqadminApi, NsqdApi } from "../../../src/services/admin/index.ts"
import { Nsqadmin } from "../../../src/services/nsqadmin/Nsqadmin.ts"
import { startNsqd } from "../nsqadmin/nsqds.ts"
import { quiet } from "../nsqd/broker/testing.ts"

describe("NsqadminApi", () => {
  it.live("an action on a cluster reaches its nsqds, and a refusal has a tag and NSQ's code", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd()
      const context = yield* Nsqadmin.layerWith({ httpAddress: "127.0.0.1:0", nsqdHttpAddresses: [http] }).pipe(
        Layer.provide(quiet),
        Layer.build
      )
      const nsqadmin = yield* NsqadminApi.make(`http://${Context.get(context, Nsqadmin).httpAddress}/`)
      const nsqd = yield* NsqdApi.make(`http://${http}`)
      yield* nsqadmin.topics.create({ payload: { topic: "t", channel: "c" } })
      yield* nsqadmin.topics.actOnChannel({ params: { topic: "t", channel: "c" }, payload: { action: "pause" } })
      const { topics } = yield* nsqd.stats({ topic: "t" })
      assert.strictEqual(topics?.[0]?.channels?.[0]?.paused, true)
      const refused = yield* Effect.flip(nsqadmin.topics.create({ payload: { topic: "not a name" } }))
      assert.strictEqual(refused._tag, "BadRequest")
      assert.strictEqual(refused.message, "INVALID_TOPIC")
      const { nodes } = yield* nsqadmin.nodes.list()
      assert.strictEqual(nodes?.length, 1)
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))
})
