/**
 * A connection inside another one, as a raw DEFLATE stream each way. Node compresses on threads of its own: writes gather
 * while one is at work and go on together, each ended by a sync flush, so that the client can read at once all that has been
 * written. Input is inflated as far as it is read and no further: a stream may promise any size, and takes no memory.
 */
import { Effect, type Scope } from "effect"
import type * as Zlib from "node:zlib"
import { Wakeup } from "../core/Wakeup.ts"
import { type Connection, ConnectionLost } from "./Transport.ts"

/** What one step inflates at most, and about what is kept for the reader. */
const inflatedBytes = 64 * 1024
const deflatedBytes = 32 * 1024

/** How long the end of a connection waits for what is still being compressed. */
const linger = "1 second"

/** Compresses what is written to `inner`; `level` is from 1 to 9. */
export const make = Effect.fnUntraced(
  function*(inner: Connection, level: number): Effect.fn.Return<Connection, never, Scope.Scope> {
    const zlib = yield* Effect.promise(() => import("node:zlib"))
    const output = yield* Effect.acquireRelease(
      Effect.sync(() => new Output(inner, zlib, level)),
      (output) => output.end
    )
    const inflate = yield* Effect.acquireRelease(
      Effect.sync(() => zlib.createInflateRaw({ chunkSize: inflatedBytes })),
      (inflate) => Effect.sync(() => void inflate.destroy())
    )
    const input = reader(inner, inflate)
    return {
      remoteAddress: inner.remoteAddress,
      read: input.read,
      isDecoding: input.isBusy,
      write: output.write,
      cork: output.cork,
      uncork: output.uncork,
      pendingBytes: () => output.pendingBytes + inner.pendingBytes(),
      takenBytes: inner.takenBytes,
      drained: Effect.andThen(output.idle, inner.drained)
    }
  }
)

/** The way out. */
class Output {
  private readonly deflate: Zlib.DeflateRaw
  private waiting: Array<Uint8Array> = []
  private waitingBytes = 0
  /** Bytes being compressed. */
  private busyBytes = 0
  private corked = false
  private readonly idlers = new Set<() => void>()

  constructor(inner: Connection, zlib: typeof Zlib, level: number) {
    this.deflate = zlib.createDeflateRaw({ level, flush: zlib.constants.Z_SYNC_FLUSH, chunkSize: deflatedBytes })
    this.deflate.on("data", (bytes: Buffer) => inner.write(bytes))
    // Only a write after the end could be one, and there is none.
    this.deflate.on("error", () => this.becomeIdle())
  }

  get pendingBytes(): number {
    return this.waitingBytes + this.busyBytes
  }

  readonly write = (bytes: Uint8Array): boolean => {
    // It is compressed later, and the caller may use its memory again.
    this.waiting.push(Buffer.from(bytes))
    this.waitingBytes += bytes.length
    if (!this.corked) this.compress()
    return true
  }

  readonly cork = (): void => {
    this.corked = true
  }

  readonly uncork = (): void => {
    this.corked = false
    this.compress()
  }

  /** Completes when everything written has been passed on. */
  readonly idle: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.pendingBytes === 0) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    this.idlers.add(done)
    return Effect.sync(() => void this.idlers.delete(done))
  })

  get end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.uncork()
      return Effect.andThen(
        Effect.timeoutOption(this.idle, linger),
        Effect.sync(() => void this.deflate.destroy())
      )
    })
  }

  private compress(): void {
    if (this.busyBytes > 0 || this.waitingBytes === 0 || this.deflate.destroyed) return
    const bytes = this.waiting.length === 1 ? this.waiting[0] : Buffer.concat(this.waiting)
    this.busyBytes = this.waitingBytes
    this.waiting = []
    this.waitingBytes = 0
    this.deflate.write(bytes, this.compressed)
  }

  private readonly compressed = (): void => {
    this.busyBytes = 0
    if (this.waitingBytes > 0) return this.corked ? undefined : this.compress()
    this.becomeIdle()
  }

  private becomeIdle(): void {
    for (const done of this.idlers) done()
    this.idlers.clear()
  }
}

const nextTick: Effect.Effect<void> = Effect.callback((resume) => process.nextTick(resume, Effect.void))

/** The way in. */
const reader = (inner: Connection, inflate: Zlib.InflateRaw) => {
  const moved = new Wakeup()
  let busy = false
  let ended = false
  let lost: ConnectionLost | undefined
  inflate.on("readable", moved.call)
  inflate.on("end", () => {
    ended = true
    moved.call()
  })
  inflate.on("error", (error) => {
    lost = new ConnectionLost({ reason: `deflate: ${error.message}` })
    moved.call()
  })

  const inflateMore: Connection["read"] = Effect.flatMap(inner.read, (bytes) => {
    if (bytes === undefined) return Effect.undefined
    busy = true
    inflate.write(bytes, () => {
      busy = false
      moved.call()
    })
    return wait
  })
  // Node tells of the end of the stream in the tick after its last bytes have been read.
  const refill = Effect.andThen(nextTick, Effect.suspend(() => ended ? Effect.undefined : inflateMore))

  const read: Connection["read"] = Effect.suspend(() => {
    if (lost !== undefined) return Effect.fail(lost)
    const bytes: Buffer | null = inflate.read()
    if (bytes !== null) return Effect.succeed(bytes)
    // Like NSQ, takes the end of the stream for the end of the connection.
    if (ended) return Effect.undefined
    return busy ? wait : refill
  })
  const wait = Effect.andThen(moved.wait, read)
  return { read, isBusy: () => busy }
}
