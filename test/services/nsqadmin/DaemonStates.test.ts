import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Node } from "../../../src/protocol/http/admin/AdminNodes.ts"
import * as DaemonStates from "../../../src/services/nsqadmin/DaemonStates.ts"
import { untilIdle } from "../../../src/testing/index.ts"
import { unreachable } from "../http/httpErrors.ts"
import { fakeCluster, latest, nodeNamed, passSamples, samplerLayer } from "./cluster.ts"

const minute = 60_000

/** An observation at that time; by default every listed nsqd responds. */
const seen = (
  at: number,
  named: ReadonlyArray<Node>,
  options: Partial<DaemonStates.Observation> = {}
): DaemonStates.Observation => ({
  at,
  began: at,
  monotonic: at,
  lookupds: [],
  named,
  nodes: named,
  responses: named.map((node) => ({ node, version: node.version, health: "OK", started: 0, collected: undefined })),
  failures: [],
  retention: 60 * minute,
  ...options
})

const [a, b] = [nodeNamed("a"), nodeNamed("b")]

const states = (...observations: ReadonlyArray<DaemonStates.Observation>) =>
  DaemonStates.list(observations.reduce(DaemonStates.observe, DaemonStates.none)).map(
    ({ address, error, reachable, since }) => ({ address, reachable, error, since })
  )

const goneError = "no longer listed in the cluster"

describe("DaemonStates", () => {
  it("a daemon is healthy or degraded since the first sample that found it so, and unreachable since its last reply", () => {
    const failing = { responses: [], failures: [unreachable("a:4151")] }
    assert.deepStrictEqual(states(seen(1, [a]), seen(2, [a])), [
      { address: "a:4151", reachable: true, error: "", since: 1 }
    ])
    assert.deepStrictEqual(states(seen(1, [a]), seen(2, [a], failing), seen(3, [a], failing)), [
      { address: "a:4151", reachable: false, error: unreachable("a:4151").message, since: 1 }
    ])
    assert.deepStrictEqual(states(seen(1, [a]), seen(2, [a], failing), seen(3, [a])), [
      { address: "a:4151", reachable: true, error: "", since: 3 }
    ])
  })

  it("a daemon is unreachable since the last of its replies, also as it was degraded", () => {
    const degraded = seen(5, [a]).responses.map((response) => ({ ...response, health: "NOK" }))
    const gone = { responses: [], failures: [unreachable("a:4151")] }
    const [state] = states(seen(1, [a]), seen(5, [a], { responses: degraded }), seen(9, [a], gone), seen(13, [a], gone))
    assert.strictEqual(state?.since, 5)
    const lookupds = ["lookup:4161"]
    const [lookupd] = states(
      seen(1, [], { lookupds }),
      seen(5, [], { lookupds }),
      seen(9, [], { lookupds, failures: [unreachable("lookup:4161")] })
    )
    assert.strictEqual(lookupd?.since, 5)
  })

  it("a daemon that has never replied is unreachable since the first request to it", () => {
    const never = { began: 3, responses: [], failures: [unreachable("a:4151")] }
    const observed = [seen(7, [a], never), seen(12, [a], { ...never, began: 10 })]
    const [state] = DaemonStates.list(observed.reduce(DaemonStates.observe, DaemonStates.none))
    assert.deepInclude(state, { reachable: false, has_replied: false, since: 3 })
    const [after] = DaemonStates.list([...observed, seen(17, [a])].reduce(DaemonStates.observe, DaemonStates.none))
    assert.deepInclude(after, { reachable: true, has_replied: true, since: 17 })
  })

  it("an nsqd that is no longer listed is remembered for the retention time", () => {
    const forgotten = (at: number) => states(seen(1, [a, b]), seen(2, [a]), seen(at, [a])).slice(1)
    assert.deepStrictEqual(forgotten(60 * minute + 1), [
      { address: "b:4151", reachable: false, error: goneError, since: 1 }
    ])
    assert.deepStrictEqual(forgotten(60 * minute + 2), [])
  })

  it("an nsqd is forgotten after the retention time while its nsqlookupd does not respond", () => {
    const failures = [unreachable("lookup:4161"), unreachable("a:4151")]
    const lost = (at: number) => seen(at, [], { nodes: [a], lookupds: ["lookup:4161"], failures })
    assert.strictEqual(states(seen(1, [a]), lost(minute)).length, 2)
    const known = [seen(1, [a]), lost(30 * minute)].reduce(DaemonStates.observe, DaemonStates.none)
    assert.deepStrictEqual(DaemonStates.remembered(known, 60 * minute, 60 * minute), [a])
    assert.deepStrictEqual(DaemonStates.remembered(known, 61 * minute, 60 * minute), [])
    assert.deepStrictEqual(states(seen(1, [a]), lost(2), seen(61 * minute, [])).length, 0)
  })

  it("an nsqd that comes back with another address replaces the one before", () => {
    const moved = { ...a, broadcast_address: "10.0.0.2" }
    const found = states(seen(1, [a]), seen(2, [moved]))
    assert.deepStrictEqual(found, [{ address: "10.0.0.2:4151", reachable: true, error: "", since: 2 }])
    // Several nsqds of a host differ in their ports.
    assert.lengthOf(states(seen(1, [a]), seen(2, [{ ...moved, tcp_port: 4250, http_port: 4251 }])), 2)
  })

  it("an nsqd has its configured address until it responds with its broadcast address", () => {
    const failures = [unreachable("localhost:4151")]
    assert.deepStrictEqual(states(seen(1, [], { failures })), [
      { address: "localhost:4151", reachable: false, error: unreachable("localhost:4151").message, since: 1 }
    ])
    assert.deepStrictEqual(states(seen(1, [], { failures }), seen(2, [a])), [
      { address: "a:4151", reachable: true, error: "", since: 2 }
    ])
  })

  it.effect("warnings of unreachable nsqds begin with the last reply, or without one with the start of nsqadmin", () => {
    const state = fakeCluster({ a: { topics: {} }, b: { topics: {}, fails: "connection refused" }, c: { topics: {} } })
    state.statsTake = 1500
    const warnings = Effect.map(
      latest,
      ({ warnings }) => warnings.map(({ detail, node, since, text }) => [node, since, text, detail])
    )
    return Effect.gen(function*() {
      const never = (node: string, since: number) => [
        node,
        since,
        `nsqd ${node} is unreachable and has not replied`,
        "it has never replied to this nsqadmin"
      ]
      // The first sample begins at 0 ms, and its replies arrive at 1,500 ms.
      yield* TestClock.adjust(state.statsTake)
      yield* untilIdle
      assert.deepStrictEqual(yield* warnings, [never("b:4151", 0)])
      yield* passSamples(2)
      const { at } = yield* latest
      state.nodes["a"] = { topics: {}, fails: "connection refused" }
      yield* passSamples(2)
      assert.deepStrictEqual(yield* warnings, [
        ["a:4151", at, "nsqd a:4151 is unreachable and has not replied", ""],
        never("b:4151", 0)
      ])
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("a stopped nsqd is unreachable until it starts again", () => {
    const state = fakeCluster({ a: { topics: {} }, b: { topics: {} } })
    const b = Effect.map(latest, ({ daemons, warnings }) => ({
      reachable: daemons.find(({ address }) => address === "b:4151")?.reachable,
      warnings: warnings.map(({ kind, node }) => [kind, node])
    }))
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* b, { reachable: true, warnings: [] })
      // nsqlookupd removes an nsqd as soon as its connection closes.
      state.nodes["b"] = { topics: {}, named: false }
      yield* passSamples(1)
      assert.deepStrictEqual(yield* b, { reachable: false, warnings: [["daemon_gone", "b:4151"]] })
      state.nodes["b"] = { topics: {} }
      yield* passSamples(1)
      assert.deepStrictEqual(yield* b, { reachable: true, warnings: [] })
      delete state.nodes["b"]
      yield* passSamples(1)
      yield* TestClock.adjust("24 hours")
      yield* untilIdle
      assert.deepStrictEqual(yield* b, { reachable: undefined, warnings: [] })
    }).pipe(Effect.provide(samplerLayer(state)))
  })
})
