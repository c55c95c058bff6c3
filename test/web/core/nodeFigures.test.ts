import { assert, describe, it } from "@effect/vitest"
import type { NodeStatus } from "../../../src/protocol/http/NodeResponse.ts"
import * as NodeFigures from "../../../src/web/core/nodeFigures.ts"

const status: NodeStatus = {
  version: "1.3.0",
  effect_nsq_version: "0.2.0",
  node_version: "24.1.0",
  health: "OK",
  start_time: 1000,
  connection_count: 12,
  memory: {
    rss_bytes: 412e6,
    heap_used_bytes: 1e9,
    heap_limit_bytes: 4e9,
    external_bytes: 20e6,
    available_bytes: 2e9,
    total_bytes: 8e9
  },
  event_loop_delay: { p50_usec: 200, p99_usec: 3200, max_usec: 41_000, seconds: 10 },
  disk: { free_bytes: 30e9, used_bytes: 70e9, total_bytes: 100e9 },
  file_descriptors: { open: 52, limit: 1024 },
  drain: null
}

const drain = { since: 0, drained: false, depth: 10, in_flight_count: 2, deferred_count: 1 }

describe("figures of a node", () => {
  it("each figure has its value, what it means, and its share of a limit", () => {
    const figures = new Map(NodeFigures.ofStatus(status, 1_120_000).map((figure) => [figure.name, figure]))
    assert.strictEqual(figures.get("Process memory")?.value, "412 MB")
    assert.strictEqual(figures.get("Heap")?.share, 0.25)
    assert.deepStrictEqual([figures.get("Machine memory")?.value, figures.get("Machine memory")?.share], [
      "2 GB left",
      0.75
    ])
    assert.deepStrictEqual([figures.get("Disk")?.value, figures.get("Disk")?.share], ["30 GB free", 0.7])
    assert.strictEqual(figures.get("Event loop delay")?.value, "3.2 ms p99")
    assert.strictEqual(figures.get("Running for")?.value, "2 m")
    assert.deepStrictEqual([NodeFigures.diskFree(status), NodeFigures.files(status)], ["30 GB (30%)", "52 of 1,024"])
  })

  it("a figure that is unknown is a dash, without a share", () => {
    const unknown = { ...status, disk: null, event_loop_delay: null, file_descriptors: null }
    const figures = NodeFigures.ofStatus(unknown, 0).filter(({ value }) => value === "–")
    assert.deepStrictEqual(figures.map(({ name, share }) => [name, share]), [
      ["Disk", undefined],
      ["File descriptors", undefined],
      ["Event loop delay", undefined]
    ])
  })

  it("a drain states what is left, and deferred messages that it does not wait for", () => {
    assert.strictEqual(NodeFigures.drainLeft(drain), "13 messages left: 10 waiting, 2 in flight, 1 deferred")
    const drained = { ...drain, drained: true, depth: 0, in_flight_count: 0 }
    assert.strictEqual(NodeFigures.drainLeft(drained), "1 deferred message left, due later than in a minute")
    assert.strictEqual(NodeFigures.drainLeft({ ...drained, deferred_count: 0 }), "all topics are empty")
  })
})
