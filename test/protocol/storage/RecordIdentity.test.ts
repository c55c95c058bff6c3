import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { encodeMessage, MessageId } from "../../../src/protocol/client/Message.ts"
import { addIdentities, recordsWithout } from "../../../src/protocol/storage/RecordIdentity.ts"

interface Described {
  readonly id: number
  readonly timestamp: number
  readonly attempts: number
  readonly body: string
}

const record = ({ attempts, body, id, timestamp }: Described): Buffer => {
  const content = encodeMessage({
    timestamp: BigInt(timestamp),
    attempts,
    id: MessageId.make(id.toString(16).padStart(16, "0")),
    body: Buffer.from(body)
  })
  const size = Buffer.alloc(4)
  size.writeInt32BE(content.length)
  return Buffer.concat([size, content])
}

/** The records after some other bytes. */
const recordsOf = (messages: ReadonlyArray<Described>) => {
  const start = 7
  const bytes = Buffer.concat([Buffer.alloc(start, 1), ...messages.map(record)])
  return { bytes, start, end: bytes.length, count: messages.length }
}

const identitiesOf = (messages: ReadonlyArray<Described>): ReadonlySet<string> => {
  const identities = new Set<string>()
  const { bytes, end, start } = recordsOf(messages)
  addIdentities(identities, bytes, start, end)
  return identities
}

const message: Described = { id: 1, timestamp: 1000, attempts: 0, body: "body" }

describe("the identity of a record", () => {
  it("the identity of a record is the same in every queue and at every attempt", () => {
    const identities = identitiesOf([message])
    assert.deepStrictEqual(recordsWithout(recordsOf([message, { ...message, attempts: 3 }]), identities), [])
  })

  it("the identities of records differ if the id, the timestamp or the size differs", () => {
    const records = recordsOf([{ ...message, id: 2 }, { ...message, timestamp: 1001 }, { ...message, body: "longer" }])
    assert.deepStrictEqual(recordsWithout(records, identitiesOf([message])), [records])
  })

  const ids = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 })))
  it.effect.prop(
    "known records are found at any position",
    [ids, ids],
    ([all, known]) =>
      Effect.sync(() => {
        const described = (id: number): Described => ({ ...message, id, body: "x".repeat(id) })
        const runs = recordsWithout(recordsOf(all.map(described)), identitiesOf(known.map(described)))
        const left = all.filter((id) => !known.includes(id))
        const bytes = runs.map((run) => Buffer.from(run.bytes).subarray(run.start, run.end))
        assert.deepStrictEqual(Buffer.concat(bytes), Buffer.concat(left.map((id) => record(described(id)))))
        assert.strictEqual(runs.reduce((sum, { count }) => sum + count, 0), left.length)
      })
  )
})
