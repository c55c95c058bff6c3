/**
 * A Connection over a socket of `node:net`. One object for each connection: its functions have to be called on it.
 *
 * Hot path: bytes that arrive while a fiber waits in `read` resume it in the same tick; the socket is paused only if no fiber
 * waits.
 */
import { Effect, type Scope } from "effect"
import type * as Net from "node:net"
import { connectionLoss, handshakeFailure, type NetError } from "./NetError.ts"
import type { SharedInput } from "./SharedInput.ts"
import { details } from "./TlsDetails.ts"
import type { TlsHandshake } from "./TlsHandshake.ts"
import { type Connection, peerAddress, type SecureConnection } from "./Transport.ts"

/** The longest wait for a peer to receive pending output when its connection ends. */
const linger = "1 second"

/** NSQ's limit for the whole TLS handshake. */
const handshakeTimeout = "5 seconds"

/**
 * The most bytes passed to a socket at a time. Node reports bytes as taken only when all of them are, and a slow peer has to be
 * distinguished from one that takes nothing: pieces are small where the socket does not tell how much of a piece is left.
 */
const pieceBytes = { small: 128 * 1024, large: 1024 * 1024 }

/** Output to a TLS connection is copied up to this size, because Node reports late that it has taken it. */
const copiedBytes = 32 * 1024

/**
 * The bytes passed to the system that it has not taken yet, or `undefined` if the socket does not tell. Node's own timeout of sockets
 * reads this property for the same purpose; no public one has it.
 */
const untakenBytes = (socket: Net.Socket): number | undefined => {
  const handle: unknown = Reflect.get(socket, "_handle")
  const isKnown = typeof handle === "object" && handle !== null && "writeQueueSize" in handle
  return isKnown && typeof handle.writeQueueSize === "number" ? handle.writeQueueSize : undefined
}

/** The fiber that waits for bytes. */
abstract class Reader {
  /** Whether the fiber was interrupted. */
  isOver = false
  /** Whether bytes are used after `take` has returned. */
  abstract readonly keepsBytes: boolean
  /** Takes bytes; returns true if the reader is done. */
  abstract take(chunk: Buffer): boolean
  abstract end(): void
  abstract lose(error: NetError): void
}

type Resume<A> = (effect: Effect.Effect<A, NetError>) => void

/** Reads once. */
class SingleReader extends Reader {
  readonly keepsBytes = true
  private readonly resume: Resume<Buffer | undefined>

  constructor(resume: Resume<Buffer | undefined>) {
    super()
    this.resume = resume
  }

  take(chunk: Buffer): boolean {
    this.resume(Effect.succeed(chunk))
    return true
  }

  end(): void {
    this.resume(Effect.undefined)
  }

  lose(error: NetError): void {
    this.resume(Effect.fail(error))
  }
}

/** Passes bytes on until `use` returns false. */
class StandingReader extends Reader {
  readonly keepsBytes = false
  private readonly use: (chunk: Buffer) => boolean
  private readonly resume: Resume<boolean>

  constructor(use: (chunk: Buffer) => boolean, resume: Resume<boolean>) {
    super()
    this.use = use
    this.resume = resume
  }

  take(chunk: Buffer): boolean {
    try {
      if (this.use(chunk)) return false
      this.resume(Effect.succeed(true))
    } catch (defect) {
      // Thrown in a callback of Node it would end the daemon; as a defect of the fiber it ends the connection.
      this.resume(Effect.die(defect))
    }
    return true
  }

  end(): void {
    this.resume(Effect.succeed(false))
  }

  lose(error: NetError): void {
    this.resume(Effect.fail(error))
  }
}

const discard = (): void => {}

/** A socket as a Connection. */
class SocketConnection implements Connection {
  readonly remoteAddress: string
  protected readonly socket: Net.Socket
  /** Output that is not passed to the socket yet: while corked, and while the socket is behind. */
  private queue: Array<Uint8Array> = []
  private queuedBytes = 0
  private corks = 0
  private writtenBytes = 0
  /** Input that arrived while no fiber waited for it. */
  private arrived: Array<Buffer> = []
  private ended = false
  private lost: NetError | undefined
  private reader: Reader | undefined
  private readonly pieceBytes: number
  /** Where the bytes come from if the socket does not own their memory. */
  private readonly input: SharedInput | undefined

  constructor(socket: Net.Socket, remoteAddress: string, input?: SharedInput) {
    this.socket = socket
    this.remoteAddress = remoteAddress
    this.input = input
    this.pieceBytes = untakenBytes(socket) === undefined ? pieceBytes.small : pieceBytes.large
    // A socket that was behind emits "drain" when its buffer is empty.
    socket.on("drain", () => this.pump())
    input?.passTo(this.onData)
    socket.on("data", this.onData)
    socket.on("end", this.onEnd)
    socket.on("error", (error) => this.lose(error.message))
    socket.on("close", () => {
      this.queue = []
      this.queuedBytes = 0
      this.lose("connection closed")
    })
  }

  // ---- output

  write(bytes: Uint8Array): boolean {
    const { socket } = this
    if (!socket.writable) return true
    this.writtenBytes += bytes.length
    if (this.queue.length === 0 && this.corks === 0 && bytes.length <= this.pieceBytes && !this.isBehind()) {
      socket.write(bytes)
    } else {
      this.queue.push(bytes)
      this.queuedBytes += bytes.length
      this.pump()
    }
    return this.queue.length === 0 && socket.writableLength === 0
  }

  cork(): void {
    this.corks++
  }

  uncork(): void {
    this.corks--
    this.pump()
  }

  pendingBytes(): number {
    return this.queuedBytes + this.socket.writableLength
  }

  takenBytes(): number {
    const { writableLength } = this.socket
    const untaken = untakenBytes(this.socket) ?? writableLength
    return this.writtenBytes - this.queuedBytes - Math.min(untaken, writableLength)
  }

  get drained(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const { socket } = this
      if (this.isDrained()) return resume(Effect.void)
      const forget = (): void => {
        socket.off("drain", look)
        socket.off("close", look)
      }
      const look = (): void => {
        if (!this.isDrained()) return
        forget()
        resume(Effect.void)
      }
      socket.on("drain", look)
      socket.on("close", look)
      return Effect.sync(forget)
    })
  }

  /** Passes all pending output to the socket, even if it is behind. */
  handOver(): void {
    if (this.queue.length > 0) this.pass(Infinity)
  }

  private isBehind(): boolean {
    return this.socket.writableLength >= this.socket.writableHighWaterMark
  }

  private isDrained(): boolean {
    return this.socket.destroyed || (this.queue.length === 0 && !this.socket.writableNeedDrain)
  }

  private pump(): void {
    if (this.corks > 0) return
    while (this.queue.length > 0 && !this.isBehind()) this.pass(this.pieceBytes)
  }

  /** Passes at most `limit` bytes to the socket, in one system call. */
  private pass(limit: number): void {
    const { queue, socket } = this
    let size = 0
    let count = 0
    socket.cork()
    while (count < queue.length && size < limit) {
      const next = queue[count]!
      const part = Math.min(next.length, limit - size)
      socket.write(part === next.length ? next : next.subarray(0, part))
      size += part
      if (part === next.length) count++
      else queue[count] = next.subarray(part)
    }
    this.queue = queue.slice(count)
    this.queuedBytes -= size
    socket.uncork()
  }

  // ---- input

  get read(): Effect.Effect<Buffer | undefined, NetError> {
    return Effect.callback((resume) => this.serve(new SingleReader(resume)))
  }

  readEach(take: (chunk: Buffer) => boolean): Effect.Effect<boolean, NetError> {
    return Effect.callback((resume) => this.serve(new StandingReader(take, resume)))
  }

  private readonly onData = (chunk: Buffer): void => {
    const current = this.reader
    if (current === undefined) {
      this.arrived.push(this.owned(chunk))
      this.socket.pause()
      return
    }
    // `take` may replace or interrupt the reader.
    this.reader = undefined
    const bytes = current.keepsBytes ? this.owned(chunk) : chunk
    if (!current.take(bytes) && !current.isOver) this.reader = current
  }

  /** Returns bytes that stay as they are after the next read. */
  private owned(chunk: Buffer): Buffer {
    return this.input === undefined ? chunk : Buffer.from(chunk)
  }

  private readonly onEnd = (): void => {
    this.ended = true
    this.takeReader()?.end()
  }

  private takeReader(): Reader | undefined {
    const current = this.reader
    this.reader = undefined
    return current
  }

  private lose(reason: string): void {
    this.lost ??= connectionLoss(reason)
    this.takeReader()?.lose(this.lost)
  }

  /** Gives the reader buffered and further input until it is done or interrupted. */
  private serve(next: Reader): Effect.Effect<void> {
    const interrupted = Effect.sync(() => {
      next.isOver = true
      if (this.reader === next) this.reader = undefined
    })
    if (this.arrived.length > 0) {
      const chunk = this.arrived.length === 1 ? this.arrived[0]! : Buffer.concat(this.arrived)
      this.arrived = []
      if (next.take(chunk)) return interrupted
    }
    if (this.ended) next.end()
    else if (this.lost !== undefined) next.lose(this.lost)
    else {
      this.reader = next
      if (this.socket.isPaused()) this.socket.resume()
    }
    return interrupted
  }

  // ---- the socket

  /** Frees the socket for another owner and puts back unread input. */
  protected release(): void {
    const { socket } = this
    socket.pause()
    this.input?.passTo(undefined)
    socket.off("data", this.onData)
    socket.off("end", this.onEnd)
    for (const chunk of this.arrived.toReversed()) socket.unshift(chunk)
    this.arrived = []
  }

  /** Sends pending output and the end, and discards input, so that the peer reads all output before it sees a reset. */
  get end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { socket } = this
      this.handOver()
      if (socket.destroyed) return Effect.void
      const closed = Effect.callback<void>((resume) => {
        socket.once("close", () => resume(Effect.void))
        socket.removeAllListeners("data")
        this.input?.passTo(discard)
        socket.resume()
        socket.end()
      })
      return closed.pipe(
        Effect.timeoutOption(linger),
        Effect.andThen(Effect.sync(() => void socket.destroy()))
      )
    })
  }
}

/** A connection that TLS can replace. */
class PlainConnection extends SocketConnection {
  private isReleased = false

  constructor(socket: Net.Socket, input: SharedInput | undefined) {
    super(socket, peerAddress(socket.remoteAddress, socket.remotePort), input)
  }

  // After the upgrade to TLS the plain socket gets no events of its peer any more.
  override get end(): Effect.Effect<void> {
    return this.isReleased ? Effect.sync(() => this.socket.destroySoon()) : super.end
  }

  startTls(tls: TlsHandshake): Effect.Effect<SecureConnection, NetError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const { remoteAddress, socket } = this
      this.handOver()
      this.isReleased = true
      this.release()
      const route = `${peerAddress(socket.localAddress, socket.localPort)}->${remoteAddress}`
      if (socket.readableEnded) return yield* handshakeFailure("EOF")
      const secure = yield* Effect.timeoutOrElse(tls.handshake(socket), {
        duration: handshakeTimeout,
        orElse: () => Effect.fail(handshakeFailure(`read tcp ${route}: i/o timeout`))
      })
      return {
        connection: yield* untilClosed(() => new TlsConnection(secure, remoteAddress)),
        details: details(secure),
        refusal: tls.refusal(secure)
      }
    })
  }
}

/** A connection inside TLS. */
class TlsConnection extends SocketConnection {
  override write(bytes: Uint8Array): boolean {
    if (bytes.length > copiedBytes) return super.write(bytes)
    super.write(Buffer.from(bytes))
    return true
  }
}

/** Creates a connection that ends when the Scope closes. */
const untilClosed = <C extends SocketConnection>(create: () => C): Effect.Effect<C, never, Scope.Scope> =>
  Effect.uninterruptible(Effect.suspend(() => {
    const connection = create()
    return Effect.as(Effect.addFinalizer(() => connection.end), connection)
  }))

/** Returns a socket, with its input if it has shared memory, as a Connection, which ends when the Scope closes. */
export const make = (socket: Net.Socket, input?: SharedInput): Effect.Effect<Connection, never, Scope.Scope> =>
  untilClosed(() => new PlainConnection(socket, input))
