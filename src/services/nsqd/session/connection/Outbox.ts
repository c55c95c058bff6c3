/**
 * The outgoing bytes of one client. Small pieces are collected in a buffer and sent with one write; long runs of
 * message frames are written without copying.
 *
 * Hot path: synchronous. Buffers come from a small shared pool and return to it as soon as the network has taken
 * their bytes, so that an idle client holds none.
 */
import { encodeFrame, encodeResponse, FrameType } from "../../../../protocol/client/Frame.ts"
import type { ProtocolError } from "../../../../protocol/client/ProtocolError.ts"
import type { Connection } from "../../../net/Transport.ts"

const bufferSize = 32 * 1024
/** Runs of at least this size are not copied. */
const directSize = 8 * 1024
/** Nothing more is delivered to a client with this many pending bytes until it has read them. */
const maxPendingBytes = 1024 * 1024
const maxStock = 64

const stock: Array<Buffer> = []

const ok = encodeResponse("OK")
/** Many OKs in a row, for pipelined PUBs. */
const oks = Buffer.concat(Array.from({ length: 1024 }, () => ok))
const heartbeat = encodeResponse("_heartbeat_")

export class Outbox {
  private connection: Connection
  private buffer: Buffer | undefined
  private used = 0
  /** Bytes passed to the connection since the last flush. */
  private passedOn = 0
  private corked = false
  private replies = false

  constructor(connection: Connection) {
    this.connection = connection
  }

  /** Sends through another connection from now on. Everything must have been flushed. */
  redirect(connection: Connection): void {
    this.connection = connection
  }

  /** Whether fewer bytes are pending than the limit. */
  get isWritable(): boolean {
    return this.used + this.connection.pendingBytes() < maxPendingBytes
  }

  /** Bytes added since the last flush. */
  get gathered(): number {
    return this.used + this.passedOn
  }

  /** Whether a response or error was added since the last flush; these are never held back. */
  get hasReplies(): boolean {
    return this.replies
  }

  /** Adds `count` OKs. */
  ok(count: number): void {
    this.replies = true
    for (let left = count; left > 0; left -= 1024) this.add(oks, 0, Math.min(left, 1024) * ok.length)
  }

  response(text: string): void {
    this.replies = true
    const frame = encodeResponse(text)
    this.add(frame, 0, frame.length)
  }

  heartbeat(): void {
    this.replies = true
    this.add(heartbeat, 0, heartbeat.length)
  }

  error(error: ProtocolError): void {
    this.replies = true
    // Errors quote the client's names and numbers byte by byte.
    const frame = encodeFrame(FrameType.error, Buffer.from(error.message, "latin1"))
    this.add(frame, 0, frame.length)
  }

  /** Adds `bytes[start..end)`, which must not change until they are sent. */
  add(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    if (length >= directSize) {
      this.hold()
      this.push()
      this.passedOn += length
      this.connection.write(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end))
      return
    }
    if (this.buffer !== undefined && this.used + length > bufferSize) {
      this.hold()
      this.push()
    }
    this.buffer ??= stock.pop() ?? Buffer.allocUnsafeSlow(bufferSize)
    bytes.copy(this.buffer, this.used, start, end)
    this.used += length
  }

  /** Sends everything added so far. */
  flush(): void {
    this.replies = false
    this.push()
    this.passedOn = 0
    if (this.corked) {
      this.corked = false
      this.connection.uncork()
    }
  }

  /** Several writes precede the flush: corks the connection so that they are sent together. */
  private hold(): void {
    if (this.corked) return
    this.corked = true
    this.connection.cork()
  }

  private push(): void {
    const { buffer, used } = this
    if (buffer === undefined || used === 0) return
    const taken = this.connection.write(buffer.subarray(0, used))
    this.buffer = undefined
    this.passedOn += used
    this.used = 0
    // The network still reads from a buffer that was not taken, so it is not reused.
    if (taken && stock.length < maxStock) stock.push(buffer)
  }
}
