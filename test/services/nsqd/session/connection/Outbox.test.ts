import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { encodeFrame, encodeResponse, FrameType } from "../../../../../src/protocol/client/Frame.ts"
import { protocolError } from "../../../../../src/protocol/client/ProtocolError.ts"
import type { Connection } from "../../../../../src/services/net/Transport.ts"
import { Outbox } from "../../../../../src/services/nsqd/session/connection/Outbox.ts"

/** A connection that records what it is given; `takes` is whether the network takes it at once. */
const recordingConnection = (takes = true) => {
  const written: Array<Buffer> = []
  const kept: Array<Uint8Array> = []
  let corks = 0
  let pending = 0
  const connection: Connection = {
    remoteAddress: "127.0.0.1:1",
    read: Effect.never,
    write: (bytes) => {
      written.push(Buffer.from(bytes))
      if (!takes) {
        kept.push(bytes)
        pending += bytes.length
      }
      return takes
    },
    cork: () => void corks++,
    uncork: () => void corks--,
    pendingBytes: () => pending,
    takenBytes: () => 0,
    drained: Effect.void
  }
  return { connection, written, kept, corks: () => corks }
}

const Step = Schema.TaggedUnion({
  Ok: { count: Schema.Literals([1, 3, 2500]) },
  Response: { text: Schema.Literals(["CLOSE_WAIT", "x".repeat(5000)]) },
  Heartbeat: {},
  Error: {},
  Frames: { size: Schema.Literals([30, 5000, 9000, 100_000]) },
  Flush: {}
})

describe("the outbox", () => {
  it.effect.prop(
    "the outbox sends everything in the order of addition, regardless of sizes and the speed of the network",
    { steps: Arbitrary.array(Arbitrary.schema(Step), { maxLength: 40 }), takes: Schema.Boolean },
    ({ steps, takes }) =>
      Effect.sync(() => {
        const { connection, corks, kept, written } = recordingConnection(takes)
        const outbox = new Outbox(connection)
        const expected: Array<Buffer> = []
        let fill = 0
        const carryOut = Step.match({
          Ok: ({ count }) => {
            outbox.ok(count)
            for (let i = 0; i < count; i++) expected.push(encodeResponse("OK"))
          },
          Response: ({ text }) => {
            outbox.response(text)
            expected.push(encodeResponse(text))
          },
          Heartbeat: () => {
            outbox.heartbeat()
            expected.push(encodeResponse("_heartbeat_"))
          },
          Error: () => {
            outbox.error(protocolError("E_INVALID", "garbage"))
            expected.push(encodeFrame(FrameType.error, Buffer.from("E_INVALID garbage")))
          },
          Frames: ({ size }) => {
            const frames = Buffer.alloc(size + 20, ++fill)
            outbox.add(frames, 10, 10 + size)
            expected.push(frames.subarray(10, 10 + size))
          },
          Flush: () => {
            outbox.flush()
            assert.strictEqual(outbox.gathered, 0)
            assert.isFalse(outbox.hasReplies)
            assert.strictEqual(corks(), 0, "the connection stays corked")
            assert.isTrue(Buffer.concat(written).equals(Buffer.concat(expected)))
          }
        })
        for (const step of [...steps, Step.make({ _tag: "Flush" })]) carryOut(step)
        // Memory that the network has not taken is never reused.
        assert.isTrue(Buffer.concat(kept).equals(takes ? Buffer.alloc(0) : Buffer.concat(expected)))
      }),
    { arbitrary: { runs: 100, size: 40 } }
  )

  it("the outbox does not write small pieces one by one", () => {
    const { connection, written } = recordingConnection()
    const outbox = new Outbox(connection)
    for (let i = 0; i < 100; i++) outbox.ok(1)
    assert.strictEqual(written.length, 0)
    outbox.flush()
    assert.strictEqual(written.length, 1)
  })

  it("the outbox is not writable once 1 MiB is pending", () => {
    const { connection } = recordingConnection(false)
    const outbox = new Outbox(connection)
    const frames = Buffer.alloc(100_000)
    let added = 0
    for (; outbox.isWritable; added++) outbox.add(frames, 0, frames.length)
    assert.strictEqual(added, 11)
  })
})
