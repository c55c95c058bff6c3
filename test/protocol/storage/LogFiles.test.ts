import { assert, describe, it } from "@effect/vitest"
import { isTopicName } from "../../../src/protocol/client/Names.ts"
import { deletedLogName, isDeletedLog, logDirectoryName, topicsOfLogs } from "../../../src/protocol/storage/LogFiles.ts"

const topics = ["orders", "orders.deleted", "a.b", ".", "..", "...", "deleted", "x".repeat(64)]

describe("the directories of logs", () => {
  it("each topic has a directory of its own, from whose name it is known", () => {
    const directories = topics.map(logDirectoryName)
    assert.strictEqual(new Set(directories).size, topics.length)
    assert.isFalse(directories.includes(".") || directories.includes(".."))
    assert.deepStrictEqual(topicsOfLogs(directories), topics)
  })

  it("the directory of a deleted topic is that of no topic", () => {
    for (const topic of topics) {
      const deleted = deletedLogName(logDirectoryName(topic))
      assert.isTrue(isDeletedLog(deleted))
      assert.isFalse(isTopicName(deleted))
      assert.deepStrictEqual(topicsOfLogs([deleted, "kept"]), ["kept"])
    }
  })
})
