import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isTopicName } from "../../../src/protocol/client/Names.ts"
import * as QueueTopic from "../../../src/services/persistence/QueueTopic.ts"

describe("the topics of a queue", () => {
  it("a name that topics may have is kept", () => {
    assert.deepStrictEqual(QueueTopic.of("effectq.", "mail"), {
      elements: "effectq.mail",
      failed: "effectq.mail.failed",
      ids: "effectq.mail.ids"
    })
  })

  it("names that differ in characters that topics do not have are different topics", () => {
    const names = ["a/b", "a b", "a_b", "a.b"].map((queue) => QueueTopic.of("effectq.", queue).elements)
    assert.strictEqual(new Set(names).size, 4)
  })

  it.prop("every name has valid topics", [Schema.String, Schema.String], ([prefix, queue]) => {
    const topics = QueueTopic.of(`p${prefix}`, queue)
    assert.isTrue(Object.values(topics).every(isTopicName), JSON.stringify(topics))
    assert.strictEqual(new Set(Object.values(topics)).size, 3)
  })
})
