import { assert, describe, it } from "@effect/vitest"
import * as Flow from "../../../src/services/nsqadmin/Flow.ts"

const seconds = 5

/** The flows of a channel, one for each sample with its messages received and those that still wait. */
const flowsOf = (
  samples: ReadonlyArray<readonly [received: number, waiting: number]>
): ReadonlyArray<Flow.FlowOnNode> => {
  const flows: Array<Flow.FlowOnNode> = []
  for (const [i, [message_count, depth]] of samples.entries()) {
    const interval = { at: i * seconds * 1000, seconds, isRestarted: false }
    flows.push(Flow.ofChannel({ channel_name: "c", message_count, depth }, flows.at(-1), interval))
  }
  return flows
}

describe("Flow", () => {
  it("the age of the oldest message is as precise as an eighth of it", () => {
    const grown = 200
    const consumed = Array.from({ length: grown + 1 }, (_, i): readonly [number, number] => [grown + i + 1, grown - i])
    const flows = flowsOf([...Array.from({ length: grown }, (_, i) => [i + 1, i + 1] as const), ...consumed])
    for (const [i, { depth, message_count, oldest }] of flows.entries()) {
      const age = i - (message_count - depth)
      const known = oldest === null ? undefined : i - oldest / 1000 / seconds
      if (depth === 0) assert.isUndefined(known)
      else {
        assert.isAtMost(known ?? NaN, age)
        assert.isAtLeast(known ?? NaN, age - grown / 8)
      }
    }
  })

  it("what is remembered of waiting messages is shared by samples that add nothing to it", () => {
    const flows = flowsOf(Array.from({ length: 100 }, (_, i) => [i + 1, i + 1] as const))
    const remembered = new Set(flows.map(({ checkpoints }) => checkpoints))
    assert.isBelow(remembered.size, 40)
    assert.isTrue(flows.every(({ checkpoints }) => checkpoints.length <= 25))
  })
})
