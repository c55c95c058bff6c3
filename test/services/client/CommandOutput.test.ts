import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CommandOutput, type Encodable } from "../../../src/services/client/CommandOutput.ts"
import type { Connection } from "../../../src/services/net/Transport.ts"

/** A connection that records writes; `isFree` is whether written memory may be reused. */
const recording = (isFree = true) => {
  const writes: Array<string> = []
  const kept: Array<Uint8Array> = []
  const connection: Connection = {
    remoteAddress: "a:1",
    read: Effect.never,
    write: (bytes) => {
      writes.push(Buffer.from(bytes).toString())
      kept.push(bytes)
      return isFree
    },
    cork: () => {},
    uncork: () => {},
    pendingBytes: () => 0,
    takenBytes: () => 0,
    drained: Effect.void
  }
  return { writes, kept, output: new CommandOutput(connection) }
}

const command = (text: string): Encodable => ({
  size: text.length,
  encodeTo: (out, at) => void out.write(text, at)
})

const microtask = Effect.promise(() => Promise.resolve())
const round = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe("the output of a client", () => {
  it.effect("commands of the same moment go out in one write, after the running code", () =>
    Effect.gen(function*() {
      const { output, writes } = recording()
      output.add(Buffer.from("a"))
      output.encode(command("bc"))
      output.add(Buffer.from("d"))
      assert.deepStrictEqual(writes, [])
      yield* microtask
      assert.deepStrictEqual(writes, ["abcd"])
      output.add(Buffer.from("e"))
      yield* microtask
      assert.deepStrictEqual(writes, ["abcd", "e"])
    }))

  it("held commands go out with the release, and a flush passes everything at once", () => {
    const { output, writes } = recording()
    output.hold()
    output.add(Buffer.from("a"))
    output.add(Buffer.from("b"))
    assert.deepStrictEqual(writes, [])
    output.release()
    assert.deepStrictEqual(writes, ["ab"])
    output.add(Buffer.from("c"))
    output.flush()
    assert.deepStrictEqual(writes, ["ab", "c"])
  })

  it("memory that the connection still needs is not written again", () => {
    const { kept, output } = recording(false)
    output.add(Buffer.from("a"))
    output.flush()
    output.add(Buffer.from("b"))
    output.flush()
    assert.deepStrictEqual(kept.map((bytes) => Buffer.from(bytes).toString()), ["a", "b"])
  })

  it("commands of any size keep their order", () => {
    const { output, writes } = recording()
    const sizes = [10, 70_000, 5, 20_000, 60_000, 60_000, 3]
    for (const [i, size] of sizes.entries()) {
      const text = String(i).repeat(size)
      if (i % 2 === 0) output.add(Buffer.from(text))
      else output.encode(command(text))
    }
    output.flush()
    assert.strictEqual(writes.join(""), sizes.map((size, i) => String(i).repeat(size)).join(""))
  })

  it.effect("while the server is busy with more commands, they are gathered for a few rounds of the event loop", () =>
    Effect.gen(function*() {
      const { output, writes } = recording()
      let awaited = 100
      output.awaitReplies(() => awaited)
      output.add(Buffer.from("a"))
      yield* microtask
      output.add(Buffer.from("b"))
      assert.deepStrictEqual(writes, [])
      for (let i = 0; i < 5; i++) yield* round
      assert.deepStrictEqual(writes, ["ab"])
      awaited = 2
      output.add(Buffer.from("c"))
      yield* microtask
      assert.deepStrictEqual(writes, ["ab", "c"])
    }))
})
