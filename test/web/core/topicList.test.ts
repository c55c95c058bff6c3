import { assert, describe, it } from "@effect/vitest"
import * as TopicList from "../../../src/web/core/topicList.ts"
import { summary } from "../summary.ts"

const topics = [summary("b", 5), summary("a", 5, null), summary("Orders", 9, 2)]
const names = (filter: string, sorting: TopicList.Sorting) =>
  TopicList.arrange(topics, filter, sorting).map(({ topic }) => topic)

describe("topicList", () => {
  it("the list of topics is sorted by any column, then by name", () => {
    assert.deepStrictEqual(names("", { key: "topic", descending: false }), ["Orders", "a", "b"])
    assert.deepStrictEqual(names("", { key: "backlog", descending: false }), ["a", "b", "Orders"])
    assert.deepStrictEqual(names("", { key: "backlog", descending: true }), ["Orders", "b", "a"])
    assert.deepStrictEqual(names("", { key: "rate", descending: false }), ["a", "b", "Orders"])
  })

  it("the oldest message sorts first, and topics without messages last", () => {
    const waiting = [{ ...summary("new", 1), oldest: 500 }, summary("empty", 0), { ...summary("old", 1), oldest: 10 }]
    const sorted = TopicList.arrange(waiting, "", { key: "oldest", descending: true })
    assert.deepStrictEqual(sorted.map(({ topic }) => topic), ["old", "new", "empty"])
  })

  it("the filter matches any part of a name and ignores case", () => {
    assert.deepStrictEqual(names(" ORD ", { key: "topic", descending: false }), ["Orders"])
    assert.isTrue(TopicList.isWanted("Orders", "ord"))
    assert.isFalse(TopicList.isWanted("Orders", "orders2"))
    assert.deepStrictEqual(names("nothing", { key: "topic", descending: false }), [])
  })

  it("a click on a heading sorts figures descending, a second click reverses the order", () => {
    const byBacklog = TopicList.sortBy({ key: "topic", descending: false }, "backlog")
    assert.deepStrictEqual(byBacklog, { key: "backlog", descending: true })
    assert.deepStrictEqual(TopicList.sortBy(byBacklog, "backlog"), { key: "backlog", descending: false })
    assert.deepStrictEqual(TopicList.sortBy(byBacklog, "topic"), { key: "topic", descending: false })
  })

  it("only the visible rows and a margin are rendered", () => {
    assert.deepStrictEqual(TopicList.visibleRows(1000, 40, -100, 800), { first: 0, end: 28 })
    assert.deepStrictEqual(TopicList.visibleRows(1000, 40, 4000, 800), { first: 90, end: 130 })
    assert.deepStrictEqual(TopicList.visibleRows(1000, 40, 39_900, 800), { first: 987, end: 1000 })
    assert.deepStrictEqual(TopicList.visibleRows(3, 40, 8000, 800), { first: 3, end: 3 })
  })
})
