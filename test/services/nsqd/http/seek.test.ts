import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { quiet } from "../broker/testing.ts"
import { type Api, outcome, refusal, serve } from "./api.ts"

const post = (api: Api, path: string) => Effect.map(api.request("POST", path), outcome)

/** A durable topic with ten messages in one channel. */
const filled = Effect.gen(function*() {
  const api = yield* serve({ durability: "written" })
  const channel = yield* api.broker.channel(TopicName.make("t"), ChannelName.make("c"))
  for (let i = 0; i < 10; i++) yield* api.request("POST", "/pub?topic=t", `message ${i}`)
  return { api, channel }
})

const rule = ": must be beginning, end, a sequence, or a time such as 2026-11-29T08:00:00Z"

describe("/channel/seek", () => {
  it.live("moves a channel to a sequence, the beginning, the end or a time", () =>
    Effect.gen(function*() {
      const { api, channel } = yield* filled
      const seek = (to: string) => post(api, `/channel/seek?topic=t&channel=c&to=${to}`)
      assert.strictEqual(yield* seek("7"), `200 {"sequence":7,"messages":4,"moved":true}`)
      assert.strictEqual(channel.depth, 4)
      assert.strictEqual(yield* seek("end"), `200 {"sequence":11,"messages":0,"moved":true}`)
      assert.strictEqual(channel.depth, 0)
      assert.strictEqual(yield* seek("beginning"), `200 {"sequence":1,"messages":10,"moved":true}`)
      assert.strictEqual(channel.depth, 10)
      assert.strictEqual(yield* seek("2999-01-01T00:00:00Z"), `200 {"sequence":11,"messages":0,"moved":true}`)
      assert.strictEqual(yield* seek("2020-01-01T00:00:00%2B01:00"), `200 {"sequence":1,"messages":10,"moved":true}`)
      assert.strictEqual(yield* seek("999"), `200 {"sequence":11,"messages":0,"moved":true}`)
    }).pipe(Effect.provide(quiet)))

  it.live("a preview tells how many messages would wait, and moves nothing", () =>
    Effect.gen(function*() {
      const { api, channel } = yield* filled
      assert.strictEqual(
        yield* post(api, "/channel/seek?topic=t&channel=c&to=9&preview=true"),
        `200 {"sequence":9,"messages":2,"moved":false}`
      )
      assert.strictEqual(channel.depth, 10)
    }).pipe(Effect.provide(quiet)))

  it.live("a new channel can begin in the past, and an existing one keeps its place", () =>
    Effect.gen(function*() {
      const { api } = yield* filled
      const depth = () => api.broker.findTopic("t")?.channel("new")?.depth
      assert.strictEqual(yield* post(api, "/channel/create?topic=t&channel=new&from=beginning"), "200")
      assert.strictEqual(depth(), 10)
      assert.strictEqual(yield* post(api, "/channel/create?topic=t&channel=new&from=end"), "200")
      assert.strictEqual(depth(), 10)
    }).pipe(Effect.provide(quiet)))

  it.live("requests that name no place, no channel or a topic without a log are refused", () =>
    Effect.gen(function*() {
      const { api } = yield* filled
      yield* api.request("POST", "/topic/create?topic=e%23ephemeral")
      yield* api.request("POST", "/channel/create?topic=e%23ephemeral&channel=c")
      const seek = (query: string) => post(api, `/channel/seek?${query}`)
      assert.strictEqual(yield* seek("channel=c&to=end"), refusal(400, "MISSING_ARG_TOPIC"))
      assert.strictEqual(yield* seek("topic=t&to=end"), refusal(400, "MISSING_ARG_CHANNEL"))
      assert.strictEqual(yield* seek("topic=none&channel=c&to=end"), refusal(404, "TOPIC_NOT_FOUND"))
      assert.strictEqual(yield* seek("topic=t&channel=none&to=end"), refusal(404, "CHANNEL_NOT_FOUND"))
      assert.strictEqual(yield* seek("topic=t&channel=c"), refusal(400, "MISSING_ARG_TO"))
      for (
        const to of [
          "",
          "-1",
          "yesterday",
          "2026-13-01T00:00:00Z",
          "2026-02-30T00:00:00Z",
          "2026-02-28T24:00:00Z",
          "1234567890123456"
        ]
      ) {
        assert.strictEqual(yield* seek(`topic=t&channel=c&to=${to}`), refusal(400, `INVALID_ARG_TO${rule}`))
      }
      assert.strictEqual(yield* seek("topic=t&channel=c&to=1&preview=maybe"), refusal(400, "INVALID_ARG_PREVIEW"))
      const notDurable = "NOT_DURABLE: topic e#ephemeral is not durable (--topic-durability)"
      assert.strictEqual(yield* seek("topic=e%23ephemeral&channel=c&to=1"), refusal(400, notDurable))
      assert.strictEqual(
        yield* post(api, "/channel/create?topic=t&channel=other&from=yesterday"),
        refusal(400, `INVALID_ARG_FROM${rule}`)
      )
      assert.isUndefined(api.broker.findTopic("t")?.channel("other"))
    }).pipe(Effect.provide(quiet)))
})
