/** The reasons and messages of storage's errors. */
import { assert, describe, it } from "@effect/vitest"
import { DiskError } from "../../../../src/services/nsqd/disk/Disk.ts"
import { StorageError, StorageErrorReason } from "../../../../src/services/nsqd/disk/StorageError.ts"

const failed = (code: string): StorageError =>
  StorageError.fromDisk(new DiskError({ operation: "write", path: "/data/t", code, text: "it failed" }))

describe("StorageError", () => {
  for (
    const [code, tag] of [
      ["ENOSPC", "DiskFull"],
      ["EDQUOT", "DiskFull"],
      ["EMFILE", "NoDescriptor"],
      ["ENFILE", "NoDescriptor"],
      ["EIO", "DiskFailure"]
    ] as const
  ) {
    it(`a file operation that fails with ${code} is a ${tag}`, () => {
      const error = failed(code)
      assert.deepStrictEqual({ ...error.reason }, { _tag: tag, description: "write /data/t: it failed", code })
      assert.strictEqual(error.message, "write /data/t: it failed")
      assert.strictEqual(error.isFull, tag === "DiskFull")
    })
  }

  it("the message of a closed queue and of the lock are those of the log", () => {
    const messageOf = (reason: StorageErrorReason): string => new StorageError({ reason }).message
    assert.strictEqual(messageOf(StorageErrorReason.Exiting()), "exiting")
    assert.strictEqual(
      messageOf(StorageErrorReason.LockFailure({ description: "open x: permission denied", isInUse: false })),
      "failed to lock data-path: open x: permission denied"
    )
  })
})
