import { assert, describe, it } from "@effect/vitest"
import { closest, hint } from "../../../src/services/options/FlagHint.ts"

const flagsOf = new Map([
  ["nsqd", ["tcp-address", "lookupd-tcp-address", "mem-queue-size"]],
  ["nsqadmin", ["lookupd-http-address", "proxy-graphite"]],
  ["nsq_tail", ["lookupd-http-address", "n"]]
])

describe("FlagHint", () => {
  it("a misspelt flag gets the most similar one", () => {
    assert.strictEqual(closest("mem-queue-sise", flagsOf.get("nsqd") ?? []), "mem-queue-size")
    assert.strictEqual(closest("tcp-adress", flagsOf.get("nsqd") ?? []), "tcp-address")
    assert.strictEqual(closest("address-tcp", flagsOf.get("nsqd") ?? []), undefined)
    assert.strictEqual(closest("x", []), undefined)
    assert.strictEqual(hint("nsqd", "tcp-adress", flagsOf), "nsqd: did you mean -tcp-address?")
  })

  it("a flag of other programs is named as such", () => {
    assert.strictEqual(
      hint("nsqd", "lookupd-http-address", flagsOf),
      "nsqd: -lookupd-http-address is a flag of nsqadmin, nsq_tail; did you mean -lookupd-tcp-address?"
    )
    assert.strictEqual(hint("nsqd", "proxy-graphite", flagsOf), "nsqd: -proxy-graphite is a flag of nsqadmin")
  })

  it("a flag like no other gets no hint", () => {
    assert.isUndefined(hint("nsqd", "nope", flagsOf))
  })
})
