import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as Zlib from "node:zlib"
import * as DeflateConnection from "../../../src/services/net/DeflateConnection.ts"
import * as MemoryTransport from "../../../src/testing/MemoryTransport.ts"
import { noise, open, readBytes } from "./connections.ts"

const sync = { finishFlush: Zlib.constants.Z_SYNC_FLUSH }
const deflated = (content: Uint8Array): Buffer => Zlib.deflateRawSync(content, sync)
const inflated = (bytes: Uint8Array): Buffer => Zlib.inflateRawSync(bytes, sync)

describe("a connection inside deflate", () => {
  it.effect("the client can inflate all output at once, at every compression level", () =>
    Effect.gen(function*() {
      for (const level of [1, 6, 9]) {
        const { client, server } = yield* open
        const connection = yield* DeflateConnection.make(server, level)
        const contents = [Buffer.from("OK"), Buffer.alloc(300_000, "abc"), noise(100_000), Buffer.from("!")]
        const inflate = Zlib.createInflateRaw()
        for (const content of contents) {
          connection.write(content)
          let got = 0
          inflate.on("data", (bytes: Buffer) => got += bytes.length)
          while (got < content.length) {
            const bytes = yield* client.read
            yield* Effect.callback<void>((resume) => void inflate.write(bytes, () => resume(Effect.void)))
          }
          inflate.removeAllListeners("data")
          assert.strictEqual(got, content.length)
        }
      }
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("every flush of deflate ends with a sync block", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      const connection = yield* DeflateConnection.make(server, 6)
      connection.write(Buffer.from("one"))
      const bytes = yield* client.read
      assert.strictEqual(bytes?.subarray(-4).toString("hex"), "0000ffff")
      assert.strictEqual(inflated(bytes ?? Buffer.alloc(0)).toString(), "one")
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a corked deflate connection sends nothing, and copies the memory of its callers", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      const connection = yield* DeflateConnection.make(server, 6)
      const memory = Buffer.from("a")
      connection.cork()
      assert.isTrue(connection.write(memory))
      memory.write("b")
      connection.write(memory)
      assert.strictEqual(connection.pendingBytes(), 2)
      connection.uncork()
      yield* connection.drained
      assert.strictEqual(connection.pendingBytes(), 0)
      assert.strictEqual(inflated((yield* client.read) ?? Buffer.alloc(0)).toString(), "ab")
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("pending bytes of a deflate connection count until the client has read them", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      const connection = yield* DeflateConnection.make(server, 1)
      connection.write(noise(1_000_000))
      assert.isAbove(connection.pendingBytes(), 500_000)
      const drained = yield* Effect.forkChild(connection.drained, { startImmediately: true })
      assert.isUndefined(drained.pollUnsafe())
      while (drained.pollUnsafe() === undefined) {
        yield* client.read
        yield* Effect.yieldNow
      }
      yield* Fiber.join(drained)
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a deflate connection sends pending output when its Scope closes", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(DeflateConnection.make(server, 6), scope)
      connection.cork()
      connection.write(Buffer.from("last words"))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(inflated((yield* client.read) ?? Buffer.alloc(0)).toString(), "last words")
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("deflate input is complete after each flush, however it is split", () =>
    Effect.gen(function*() {
      const content = Buffer.concat([Buffer.from("PUB t\n"), noise(50_000), Buffer.alloc(50_000, "x")])
      const stream = deflated(content)
      for (const size of [11, 4096, stream.length]) {
        const { client, server } = yield* open
        const connection = yield* DeflateConnection.make(server, 6)
        for (let at = 0; at < stream.length; at += size) client.write(stream.subarray(at, at + size))
        assert.isTrue((yield* readBytes(connection, content.length)).equals(content), `cut every ${size}`)
      }
    }).pipe(Effect.provide(MemoryTransport.layer)), 240_000)

  it.effect("a deflate connection ends when the client ends the connection or the stream", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      const connection = yield* DeflateConnection.make(server, 6)
      client.write(Buffer.concat([Zlib.deflateRawSync(Buffer.from("all of it")), Buffer.from("what is this")]))
      assert.strictEqual((yield* readBytes(connection, 9)).toString(), "all of it")
      assert.isUndefined(yield* connection.read)

      const other = yield* open
      const cut = yield* DeflateConnection.make(other.server, 6)
      other.client.write(deflated(Buffer.from("half")).subarray(0, 3))
      other.client.end()
      assert.strictEqual((yield* readBytes(cut, 4)).toString(), "ha")
      assert.isUndefined(yield* cut.read)
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a deflate connection is lost if its input is not valid", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      const connection = yield* DeflateConnection.make(server, 6)
      client.write(Buffer.alloc(300, 0x66))
      const lost = yield* Effect.flip(connection.read)
      assert.match(lost.message, /^deflate: /)
      assert.strictEqual((yield* Effect.flip(connection.read)).message, lost.message)
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect(
    "a deflate stream is inflated only as far as it is read, so a bomb of a gigabyte takes little memory",
    () =>
      Effect.gen(function*() {
        const { client, server } = yield* open
        const connection = yield* DeflateConnection.make(server, 6)
        const part = deflated(Buffer.alloc(64 * 1024 * 1024))
        for (let i = 0; i < 16; i++) client.write(part)
        const before = process.memoryUsage().arrayBuffers
        let most = 0
        for (let i = 0; i < 200; i++) {
          const bytes = yield* connection.read
          assert.isAtMost(bytes?.length ?? 0, 256 * 1024)
          most = Math.max(most, process.memoryUsage().arrayBuffers - before)
        }
        assert.isBelow(most, 100 * 1024 * 1024)
      }).pipe(Effect.provide(MemoryTransport.layer)),
    240_000
  )
})
