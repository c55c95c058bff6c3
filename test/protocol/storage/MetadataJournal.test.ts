import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { createdSince, encodeCreated, encodeSaved } from "../../../src/protocol/storage/MetadataJournal.ts"

describe("the journal of nsqd.dat", () => {
  const a = encodeCreated("a")
  const saved = encodeSaved(0xab, 0)

  it("names what was created after nsqd.dat was written", () => {
    const journal = saved + a + encodeCreated("a:c")
    assert.strictEqual(journal, "saved 000000ab 0\ncreated a\ncreated a:c\n")
    assert.deepStrictEqual(createdSince(journal, 0xab), ["a", "a:c"])
  })

  it("leaves out what nsqd.dat has, before and after the file is replaced", () => {
    const before = saved + a
    const journal = before + encodeSaved(0xcd, before.length) + encodeCreated("b")
    assert.deepStrictEqual(createdSince(journal, 0xab), ["a", "b"])
    assert.deepStrictEqual(createdSince(journal, 0xcd), ["b"])
  })

  it("counts from the position, not from the line that states it", () => {
    const journal = saved + a + encodeSaved(0xcd, saved.length)
    assert.deepStrictEqual(createdSince(journal, 0xcd), ["a"])
  })

  it("takes the last line of the same nsqd.dat", () => {
    const journal = saved + a
    assert.deepStrictEqual(createdSince(journal + encodeSaved(0xab, journal.length), 0xab), [])
  })

  it("is void for an nsqd.dat that somebody else wrote", () => {
    assert.deepStrictEqual(createdSince(saved + a, 0xcd), [])
    assert.deepStrictEqual(createdSince("", 0), [])
  })

  it("ignores lines that it does not understand and a last line without its end", () => {
    assert.deepStrictEqual(createdSince(saved + "\nx\ncreated \n" + a + "created b", 0xab), ["a"])
  })

  it.prop("of any text is read", [Schema.String], ([text]) => {
    assert.isArray(createdSince(saved + text, 0xab))
  })
})
