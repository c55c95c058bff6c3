/**
 * A connection inside another one, as a raw DEFLATE stream in each direction. Node compresses in its thread pool: writes collect
 * while one is in progress and are then compressed together, each batch ended by a sync flush, so that the client can read all
 * of it at once. Input is inflated only as far as it is read, so that a small stream of any inflated size takes little memory.
 */
import { Effect, type Scope } from "effect"
import type * as Zlib from "node:zlib"
import { Wakeup } from "../core/Wakeup.ts"
import { connectionLoss, type NetError } from "./NetError.ts"
import type { Connection } from "./Transport.ts"

/** The maximum that one step inflates, and the approximate size of the buffer for the reader. */
const inflatedBytes = 64 * 1024
const deflatedBytes = 32 * 1024

/** The longest wait for pending compression when the connection ends. */
const linger = "1 second"

/** Returns a connection that deflates output to `inner` with `level`, 1 to 9, and inflates input from it. */
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
      takenBytes: () => inner.takenBytes(),
      drained: Effect.andThen(output.idle, inner.drained)
    }
  }
)

/** The output side. */
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
    // Only a write after the end can fail, and there is no such write.
    this.deflate.on("error", () => this.becomeIdle())
  }

  get pendingBytes(): number {
    return this.waitingBytes + this.busyBytes
  }

  readonly write = (bytes: Uint8Array): boolean => {
    // Copied, because compression is asynchronous and the caller may reuse the memory.
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

  /** Completes when all output has been passed to `inner`. */
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

/** The input side. */
const reader = (inner: Connection, inflate: Zlib.InflateRaw) => {
  const moved = new Wakeup()
  let busy = false
  let ended = false
  let lost: NetError | undefined
  inflate.on("readable", moved.call)
  inflate.on("end", () => {
    ended = true
    moved.call()
  })
  inflate.on("error", (error) => {
    lost = connectionLoss(`deflate: ${error.message}`)
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
  // Node emits the end of the stream in the tick after its last bytes have been read.
  const refill = Effect.andThen(nextTick, Effect.suspend(() => ended ? Effect.undefined : inflateMore))

  const read: Connection["read"] = Effect.suspend(() => {
    if (lost !== undefined) return Effect.fail(lost)
    const bytes: Buffer | null = inflate.read()
    if (bytes !== null) return Effect.succeed(bytes)
    // As in NSQ, the end of the stream is the end of the connection.
    if (ended) return Effect.undefined
    return busy ? wait : refill
  })
  const wait = Effect.andThen(moved.wait, read)
  return { read, isBusy: () => busy }
}
