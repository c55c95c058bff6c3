import { assert, describe, it } from "@effect/vitest"
import type { LiveSample } from "../../src/protocol/http/admin/AdminLive.ts"
import * as LiveState from "../../src/web/live/LiveState.ts"
import { summary as topic } from "./summary.ts"

const sample = (changes: Partial<LiveSample>): LiveSample => ({
  at: 1,
  full: false,
  more: false,
  topics: [],
  gone: [],
  points: [],
  daemons: [],
  nodes: [],
  warnings: [],
  message: "",
  ...changes
})

const first = LiveState.next(LiveState.initial, sample({ full: true, topics: [topic("a", 1), topic("b", 2)] }))

describe("LiveState", () => {
  it("the parts of a large sample are one state, with what only the last part has", () => {
    const parts = [
      sample({ full: true, more: true, topics: [topic("a", 1)] }),
      sample({ full: true, more: true, topics: [topic("b", 2)] }),
      sample({ full: true, topics: [topic("c", 3)], message: "the end" })
    ]
    const [whole] = parts.reduce<ReadonlyArray<LiveSample>>((before, part) => [LiveState.joined(before[0], part)], [])
    const state = LiveState.next(first, whole ?? sample({}))
    assert.deepStrictEqual([...state.topics.keys()], ["a", "b", "c"])
    assert.strictEqual(state.message, "the end")
  })

  it("topics that a sample omits remain the same objects", () => {
    const next = LiveState.next(first, sample({ at: 2, topics: [topic("a", 5)], gone: ["none"] }))
    assert.strictEqual(next.topics.get("a")?.depth, 5)
    assert.strictEqual(next.topics.get("b"), first.topics.get("b"))
    assert.strictEqual(next.at, 2)
  })

  it("a sample removes topics that disappeared, and a full sample replaces all topics", () => {
    assert.deepStrictEqual([...LiveState.next(first, sample({ gone: ["a"] })).topics.keys()], ["b"])
    assert.deepStrictEqual([...LiveState.next(first, sample({ full: true, topics: [topic("c", 0)] })).topics.keys()], [
      "c"
    ])
  })

  it("the state remains, marked as disconnected, when the connection is lost", () => {
    const lost = LiveState.next(first, "lost")
    assert.strictEqual(lost.connected, false)
    assert.strictEqual(lost.topics, first.topics)
    assert.strictEqual(LiveState.next(lost, sample({})).connected, true)
  })

  it("a new connection starts with the last state, without the series of the previous page", () => {
    const point = { ...topic("a", 1), channel: "", node: "" }
    const last = LiveState.next(first, sample({ at: 3, points: [point] }))
    const beginning = LiveState.until(LiveState.initial, last)
    assert.deepStrictEqual(beginning, { ...last, points: [] })
    const failing = LiveState.until(LiveState.next(LiveState.initial, "lost"), last)
    assert.deepStrictEqual(failing, { ...last, points: [], connected: false })
  })
})
