import { assert, describe, it } from "@effect/vitest"
import type { DaemonState } from "../../../src/protocol/http/admin/AdminLive.ts"
import * as Palette from "../../../src/web/core/palette.ts"
import { summary } from "../summary.ts"

const node: DaemonState = {
  kind: "nsqd",
  address: "10.0.0.1:4151",
  hostname: "broker-1",
  version: "1.3.0",
  reachable: true,
  error: "",
  has_replied: true,
  since: 0
}

const topics = ["images", "image-archive", "orders.created", "orders.cancelled"].map((topic) => ({
  ...summary(topic, 0),
  channels: topic === "images" ? ["resize", "archive"] : []
}))

const entries = Palette.entriesOf(
  new Map(topics.map((topic) => [topic.topic, topic])),
  [node, { ...node, kind: "nsqlookupd", address: "10.0.0.2:4161" }]
)

const found = (query: string, max = 10) => Palette.search(entries, query, max).map(({ name }) => name)

describe("the command palette", () => {
  it("has pages, nodes, topics and channels, and shows the first ones without a query", () => {
    assert.deepStrictEqual(found("", 8), [
      "Topics",
      "Warnings",
      "Nodes",
      "Daemons",
      "Policies",
      "Lookup",
      "Counter",
      "broker-1 (10.0.0.1:4151)"
    ])
  })

  it("a whole name is before its beginning, a beginning before a middle, and a part before separate letters", () => {
    assert.deepStrictEqual(
      found("images"),
      ["images", "images / resize", "images / archive", "image-archive"].slice(0, 3)
    )
    assert.strictEqual(found("cancel")[0], "orders.cancelled")
    assert.deepStrictEqual(found("ordcan"), ["orders.cancelled"])
    assert.deepStrictEqual(found("xyz"), [])
  })

  it("all words of a query have to match, in any order and case", () => {
    assert.deepStrictEqual(found("ARCHIVE images"), ["images / archive"])
    assert.deepStrictEqual(found("4151"), ["broker-1 (10.0.0.1:4151)"])
  })

  it("an entry leads to its page", () => {
    assert.deepStrictEqual(Palette.search(entries, "images resize", 1)[0]?.route, {
      _tag: "Channel",
      topic: "images",
      channel: "resize"
    })
  })
})
