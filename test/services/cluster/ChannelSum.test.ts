import { assert, describe, it } from "@effect/vitest"
import * as ChannelSum from "../../../src/services/cluster/ChannelSum.ts"

const first: ChannelSum.CountedChannel = {
  depth: 1,
  backend_depth: 2,
  in_flight_count: 3,
  deferred_count: 4,
  message_count: 5,
  requeue_count: 6,
  timeout_count: 7,
  client_count: 8
}

describe("the sum of a channel", () => {
  it("each figure is summed over the nsqds that have the channel", () => {
    assert.deepStrictEqual(ChannelSum.sum([first, first, first]), {
      depth: 3,
      backendDepth: 6,
      inFlight: 9,
      deferred: 12,
      messages: 15,
      requeues: 18,
      timeouts: 21,
      clients: 24
    })
  })

  it("all figures are 0 if no nsqd has the channel", () => {
    assert.deepStrictEqual(new Set(Object.values(ChannelSum.sum([]))), new Set([0]))
  })
})
