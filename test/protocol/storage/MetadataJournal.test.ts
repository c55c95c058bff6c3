import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { createdSince, encodeCreated, encodeSaved } from "../../../src/protocol/storage/MetadataJournal.ts"

describe("the journal of nsqd.dat", () => {
  const a = encodeCreated("a")
  const saved = encodeSaved(0xab, 0)

  it("the journal names the queues created after nsqd.dat was written", () => {
    const journal = saved + a + encodeCreated("a:c")
    assert.strictEqual(journal, "saved 000000ab 0\ncreated a\ncreated a:c\n")
    assert.deepStrictEqual(createdSince(journal, 0xab), ["a", "a:c"])
  })

  it("the journal omits the queues of nsqd.dat, before and after the file is replaced", () => {
    const before = saved + a
    const journal = before + encodeSaved(0xcd, before.length) + encodeCreated("b")
    assert.deepStrictEqual(createdSince(journal, 0xab), ["a", "b"])
    assert.deepStrictEqual(createdSince(journal, 0xcd), ["b"])
  })

  it("the journal applies from the stated position, not from the line that states it", () => {
    const journal = saved + a + encodeSaved(0xcd, saved.length)
    assert.deepStrictEqual(createdSince(journal, 0xcd), ["a"])
  })

  it("the last line of the same nsqd.dat applies", () => {
    const journal = saved + a
    assert.deepStrictEqual(createdSince(journal + encodeSaved(0xab, journal.length), 0xab), [])
  })

  it("the journal is void for an nsqd.dat of another program", () => {
    assert.deepStrictEqual(createdSince(saved + a, 0xcd), [])
    assert.deepStrictEqual(createdSince("", 0), [])
  })

  it("unknown lines and a last line without a line end are ignored", () => {
    assert.deepStrictEqual(createdSince(saved + "\nx\ncreated \n" + a + "created b", 0xab), ["a"])
  })

  it.prop("decoding any journal succeeds", [Schema.String], ([text]) => {
    assert.isArray(createdSince(saved + text, 0xab))
  })
})
