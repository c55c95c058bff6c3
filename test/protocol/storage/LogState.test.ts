import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  decodeLogState,
  encodeStateHeader,
  findStateHeader,
  type LogStateChanges,
  LogStateEncoder,
  readStateBlock,
  type StateBlockKind,
  stateBlockSize
} from "../../../src/protocol/storage/LogState.ts"

const number = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 52 }))
const channel = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 }))
const count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 20 }))

/** The calls of `LogStateChanges`. */
const Change = Schema.Union([
  Schema.Tuple([Schema.Literal("epoch"), number]),
  Schema.Tuple([Schema.Literal("created"), channel, Schema.String, number]),
  Schema.Tuple([Schema.Literal("deleted"), channel]),
  Schema.Tuple([Schema.Literal("finished"), channel, number, count]),
  Schema.Tuple([Schema.Literal("returned"), channel, number, count]),
  Schema.Tuple([Schema.Literal("deferred"), channel, number, number, count]),
  Schema.Tuple([Schema.Literal("held"), number]),
  Schema.Tuple([Schema.Literal("released")]),
  Schema.Tuple([Schema.Literal("lost"), number, count]),
  Schema.Tuple([Schema.Literal("issued"), number, number]),
  Schema.Tuple([Schema.Literal("trimmed"), number])
])
type Change = typeof Change.Type

const apply = (change: Change, to: LogStateChanges): void => {
  switch (change[0]) {
    case "epoch":
      return to.epoch(change[1])
    case "created":
      return to.created(change[1], change[2], change[3])
    case "deleted":
      return to.deleted(change[1])
    case "finished":
      return to.finished(change[1], change[2], change[2] + change[3])
    case "returned":
      return to.returned(change[1], change[2], change[3])
    case "deferred":
      return to.deferred(change[1], change[2], change[3], change[4])
    case "held":
      return to.held(change[1])
    case "released":
      return to.released()
    case "lost":
      return to.lost(change[1], change[1] + change[2])
    case "issued":
      return to.issued(change[1], change[2])
    case "trimmed":
      return to.trimmed(change[1])
  }
}

/** Collects the calls. */
class Calls implements LogStateChanges {
  readonly all: Array<Change> = []
  epoch(epoch: number): void {
    this.all.push(["epoch", epoch])
  }
  created(channel: number, name: string, start: number): void {
    this.all.push(["created", channel, name, start])
  }
  deleted(channel: number): void {
    this.all.push(["deleted", channel])
  }
  finished(channel: number, from: number, to: number): void {
    this.all.push(["finished", channel, from, to - from])
  }
  returned(channel: number, sequence: number, attempts: number): void {
    this.all.push(["returned", channel, sequence, attempts])
  }
  deferred(channel: number, sequence: number, due: number, attempts: number): void {
    this.all.push(["deferred", channel, sequence, due, attempts])
  }
  held(sequence: number): void {
    this.all.push(["held", sequence])
  }
  released(): void {
    this.all.push(["released"])
  }
  lost(from: number, to: number): void {
    this.all.push(["lost", from, to - from])
  }
  issued(unit: number, sequence: number): void {
    this.all.push(["issued", unit, sequence])
  }
  trimmed(sequence: number): void {
    this.all.push(["trimmed", sequence])
  }
}

const decoded = (bytes: Buffer) => {
  const calls = new Calls()
  return { isWhole: decodeLogState(bytes, calls), changes: calls.all }
}

const encoded = (changes: ReadonlyArray<Change>): Buffer => {
  const encoder = new LogStateEncoder()
  for (const change of changes) apply(change, encoder)
  return Buffer.from(encoder.encoded)
}

const block = (kind: StateBlockKind, changes: Buffer): Buffer =>
  Buffer.concat([encodeStateHeader(kind, changes), changes])

describe("changes of a durable topic's state", () => {
  // Channel names are names of NSQ, which are ASCII; lone surrogates have no encoding.
  const isEncodable = (change: Change) => change[0] !== "created" || change[2].isWellFormed()

  it.prop("changes are decoded as they were encoded, in their order", [Schema.Array(Change)], ([all]) => {
    const changes = all.filter(isEncodable)
    assert.deepStrictEqual(decoded(encoded(changes)), { isWhole: true, changes })
  })

  it.prop(
    "changes that were cut off are reported, and those before them decoded",
    [Change, Change],
    ([first, last]) => {
      if (!isEncodable(first) || !isEncodable(last)) return
      const bytes = encoded([first, last])
      const start = encoded([first]).length
      for (let end = start + 1; end < bytes.length; end++) {
        assert.deepStrictEqual(decoded(bytes.subarray(0, end)), { isWhole: false, changes: [first] })
      }
    }
  )

  it("an unknown change is reported, because the ones behind it cannot be found", () => {
    const known: Change = ["held", 7]
    assert.deepStrictEqual(decoded(Buffer.concat([encoded([known]), Buffer.from([99, 1]), encoded([known])])), {
      isWhole: false,
      changes: [known]
    })
  })

  it("an encoder that is cleared encodes the next changes only", () => {
    const encoder = new LogStateEncoder()
    for (let i = 0; i < 100_000; i++) encoder.held(2 ** 40)
    encoder.clear()
    assert.strictEqual(encoder.size, 0)
    encoder.released()
    assert.deepStrictEqual(decoded(encoder.encoded), { isWhole: true, changes: [["released"]] })
  })
})

describe("blocks of a state file", () => {
  const changes = encoded([["created", 1, "billing", 5], ["finished", 1, 5, 3]])
  const both = Buffer.concat([block("checkpoint", changes), block("changes", Buffer.alloc(0))])

  it("blocks are read one after another, with their kind", () => {
    const first = readStateBlock(both, 0)
    assert.deepStrictEqual(first, { kind: "checkpoint", changes, end: 16 + changes.length })
    assert.deepStrictEqual(readStateBlock(both, first?.end ?? 0), {
      kind: "changes",
      changes: Buffer.alloc(0),
      end: both.length
    })
    assert.isUndefined(readStateBlock(both, both.length))
  })

  it("the size of a block is known from its header", () => {
    assert.strictEqual(stateBlockSize(both.subarray(0, 16), 0), 16 + changes.length)
    assert.isUndefined(stateBlockSize(both.subarray(0, 15), 0))
    assert.isUndefined(stateBlockSize(both, 1))
  })

  it("a block has the kind that it was written with", () => {
    for (const kind of ["part", "checkpoint", "changes"] as const) {
      assert.deepStrictEqual(readStateBlock(block(kind, changes), 0), { kind, changes, end: 16 + changes.length })
    }
  })

  it("a block with any wrong bit is not valid, and the next one is found", () => {
    const next = 16 + changes.length
    for (let at = 0; at < next; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = Buffer.from(both)
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit)
        assert.isUndefined(readStateBlock(damaged, 0), `byte ${at}, bit ${bit}`)
        assert.strictEqual(findStateHeader(damaged, 1), next)
      }
    }
  })

  it("a block that was cut off is not valid", () => {
    for (let end = 0; end < 16 + changes.length; end++) {
      assert.isUndefined(readStateBlock(both.subarray(0, end), 0))
      assert.strictEqual(findStateHeader(both.subarray(0, end), 1), -1)
    }
  })

  it("the magic within a block's changes is not the start of a block", () => {
    const misleading = Buffer.from("NSQS, a channel's name may have these letters")
    const bytes = Buffer.concat([Buffer.from("x"), block("changes", misleading)])
    assert.strictEqual(findStateHeader(bytes, 0), 1)
    assert.strictEqual(findStateHeader(bytes, 2), -1)
  })
})
