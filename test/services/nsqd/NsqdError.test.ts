/** The FATAL lines of an nsqd that cannot start or continue. */
import { assert, describe, it } from "@effect/vitest"
import { NsqdError, NsqdErrorReason } from "../../../src/services/nsqd/NsqdError.ts"

const messageOf = (reason: NsqdErrorReason): string => new NsqdError({ reason }).message

describe("NsqdError", () => {
  it("the message of a failed start is NSQ's", () => {
    const description = "it failed"
    for (const tag of ["InvalidOption", "LockFailure", "NetworkFailure"] as const) {
      assert.strictEqual(messageOf(NsqdErrorReason[tag]({ description })), "failed to instantiate nsqd - it failed")
    }
    for (const action of ["load", "persist"] as const) {
      assert.strictEqual(
        messageOf(NsqdErrorReason.MetadataFailure({ action, description })),
        `failed to ${action} metadata - it failed`
      )
    }
  })

  it("the message of a broken listener is that of the listener", () => {
    const description = "listen (127.0.0.1:4150) failed - the listener was closed"
    assert.strictEqual(messageOf(NsqdErrorReason.ListenerLoss({ description })), description)
  })
})
