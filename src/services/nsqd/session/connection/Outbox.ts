/**
 * What is on its way to one client. Small pieces are gathered in a buffer and go out in one write; long runs of message
 * frames are written as they are, without copying them.
 *
 * Hot path: synchronous. Buffers come from a small shared stock and return to it as soon as the network has taken their
 * bytes, so that a client that is not being written to holds none.
 */
import { encodeFrame, encodeResponse, FrameType } from "../../../../protocol/client/Frame.ts"
import type { ProtocolError } from "../../../../protocol/client/ProtocolError.ts"
import type { Connection } from "../../../net/Transport.ts"

const bufferSize = 32 * 1024
/** Runs of frames from this size on are not worth copying. */
const directSize = 8 * 1024
/** A client with this much pending gets nothing more until it has taken it. */
const maxPendingBytes = 1024 * 1024
const maxStock = 64

const stock: Array<Buffer> = []

const ok = encodeResponse("OK")
/** Many OKs in a row, for the answers to pipelined PUBs. */
const oks = Buffer.concat(Array.from({ length: 1024 }, () => ok))
const heartbeat = encodeResponse("_heartbeat_")

export class Outbox {
  private connection: Connection
  private buffer: Buffer | undefined
  private used = 0
  /** Bytes handed to the connection since the last flush. */
  private passedOn = 0
  private corked = false
  private answers = false

  constructor(connection: Connection) {
    this.connection = connection
  }

  /** Sends by way of another connection; everything has been flushed. */
  redirect(connection: Connection): void {
    this.connection = connection
  }

  /** Whether the client takes what it is sent. */
  get isWritable(): boolean {
    return this.used + this.connection.pendingBytes() < maxPendingBytes
  }

  /** Bytes added since the last flush. */
  get gathered(): number {
    return this.used + this.passedOn
  }

  /** Whether something gathered is not a message: an answer is waited for, and never held back. */
  get hasAnswers(): boolean {
    return this.answers
  }

  /** `count` times OK. */
  ok(count: number): void {
    this.answers = true
    for (let left = count; left > 0; left -= 1024) this.add(oks, 0, Math.min(left, 1024) * ok.length)
  }

  response(text: string): void {
    this.answers = true
    const frame = encodeResponse(text)
    this.add(frame, 0, frame.length)
  }

  heartbeat(): void {
    this.answers = true
    this.add(heartbeat, 0, heartbeat.length)
  }

  error(error: ProtocolError): void {
    this.answers = true
    // Names and numbers that a client sent are quoted byte by byte.
    const frame = encodeFrame(FrameType.error, Buffer.from(error.message, "latin1"))
    this.add(frame, 0, frame.length)
  }

  /** Adds `bytes[start..end)`, which must not change until it has gone out. */
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
    this.answers = false
    this.push()
    this.passedOn = 0
    if (this.corked) {
      this.corked = false
      this.connection.uncork()
    }
  }

  /** More than one write follows before the flush: let them go out together. */
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
    // A buffer that the network still reads from is left to the garbage collector.
    if (taken && stock.length < maxStock) stock.push(buffer)
  }
}
