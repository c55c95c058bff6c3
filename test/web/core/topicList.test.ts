import { assert, describe, it } from "@effect/vitest"
import * as TopicList from "../../../src/web/core/topicList.ts"
import { summary } from "../summary.ts"

const topics = [summary("b", 5), summary("a", 5, null), summary("Orders", 9, 2)]
const names = (filter: string, sorting: TopicList.Sorting) =>
  TopicList.arrange(topics, filter, sorting).map(({ topic }) => topic)

describe("topicList", () => {
  it("the list of topics is sorted by any column, then by name", () => {
    assert.deepStrictEqual(names("", { key: "topic", descending: false }), ["Orders", "a", "b"])
    assert.deepStrictEqual(names("", { key: "depth", descending: false }), ["a", "b", "Orders"])
    assert.deepStrictEqual(names("", { key: "depth", descending: true }), ["Orders", "b", "a"])
    assert.deepStrictEqual(names("", { key: "rate", descending: false }), ["a", "b", "Orders"])
  })

  it("the filter matches any part of a name and ignores case", () => {
    assert.deepStrictEqual(names(" ORD ", { key: "topic", descending: false }), ["Orders"])
    assert.isTrue(TopicList.isWanted("Orders", "ord"))
    assert.isFalse(TopicList.isWanted("Orders", "orders2"))
    assert.deepStrictEqual(names("nothing", { key: "topic", descending: false }), [])
  })

  it("a click on a heading sorts figures descending, a second click reverses the order", () => {
    const byDepth = TopicList.sortBy({ key: "topic", descending: false }, "depth")
    assert.deepStrictEqual(byDepth, { key: "depth", descending: true })
    assert.deepStrictEqual(TopicList.sortBy(byDepth, "depth"), { key: "depth", descending: false })
    assert.deepStrictEqual(TopicList.sortBy(byDepth, "topic"), { key: "topic", descending: false })
  })

  it("only the visible rows and a margin are rendered", () => {
    assert.deepStrictEqual(TopicList.visibleRows(1000, 40, -100, 800), { first: 0, end: 28 })
    assert.deepStrictEqual(TopicList.visibleRows(1000, 40, 4000, 800), { first: 90, end: 130 })
    assert.deepStrictEqual(TopicList.visibleRows(1000, 40, 39_900, 800), { first: 987, end: 1000 })
    assert.deepStrictEqual(TopicList.visibleRows(3, 40, 8000, 800), { first: 3, end: 3 })
  })
})
