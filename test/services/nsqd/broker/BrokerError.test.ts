/** The messages of the broker's errors, which clients, logs and HTTP responses contain. */
import { assert, describe, it } from "@effect/vitest"
import { brokerError, BrokerErrorReason, writeFailure } from "../../../../src/services/nsqd/broker/BrokerError.ts"
import { StorageError, StorageErrorReason } from "../../../../src/services/nsqd/disk/StorageError.ts"

const messageOf = (reason: BrokerErrorReason): string => brokerError(reason).message

describe("BrokerError", () => {
  it("the message of a limit names the limit and the option that sets it", () => {
    assert.strictEqual(messageOf(BrokerErrorReason.TopicLimit({ max: 2 })), "there are 2 topics already (--max-topics)")
    assert.strictEqual(
      messageOf(BrokerErrorReason.ChannelLimit({ topic: "t", max: 3 })),
      "topic t has 3 channels already (--max-channels-per-topic)"
    )
    assert.strictEqual(
      messageOf(BrokerErrorReason.ConsumerLimit({ topic: "t", channel: "c", max: 1 })),
      "consumers for t:c exceeds limit of 1"
    )
  })

  it("the message of something that does not exist names it", () => {
    assert.strictEqual(messageOf(BrokerErrorReason.MissingTopic({ topic: "t" })), "topic t does not exist")
    assert.strictEqual(
      messageOf(BrokerErrorReason.MissingChannel({ topic: "t", channel: "c" })),
      "channel t:c does not exist"
    )
  })

  it("a failed write is a full disk or a failing one, with the number of accepted messages", () => {
    const description = "no space left on device"
    const full = writeFailure(
      new StorageError({ reason: StorageErrorReason.DiskFull({ description, code: "ENOSPC" }) }),
      2
    )
    assert.deepStrictEqual([full.reason._tag, full.message, full.accepted], ["DiskFull", description, 2])
    const closed = writeFailure(new StorageError({ reason: StorageErrorReason.Exiting() }), 0)
    assert.deepStrictEqual([closed.reason._tag, closed.message], ["DiskFailure", "exiting"])
  })
})
