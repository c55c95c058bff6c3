/**
 * The commands of a client that are not passed to its connection yet: small ones are gathered in a buffer and go out in one write,
 * as soon as the running code is done.
 *
 * Hot path: one copy for each command, and no fiber for a write.
 */
import type { Connection } from "../net/Transport.ts"

/** A command that is encoded where it is sent from. */
export interface Encodable {
  /** Bytes of the command. */
  readonly size: number
  /** Writes the command to position `at` of `out`. */
  readonly encodeTo: (out: Buffer, at: number) => void
}

const firstBufferSize = 4 * 1024
/** Gathered bytes are written when there are this many. */
const maxBufferSize = 64 * 1024
/** Rounds of the event loop for which a write is put off; each takes some microseconds. */
const maxDeferrals = 3
/** Commands of at least this size are not copied. */
const directSize = 16 * 1024

export class CommandOutput {
  private readonly connection: Connection
  private buffer: Buffer | undefined
  private used = 0
  /** Commands in the buffer. */
  private commands = 0
  private isScheduled = false
  /** While held, the owner flushes. */
  private isHeld = false
  /** How often the write of the buffer was put off. */
  private deferrals = 0
  /** Returns the number of commands without a reply, including those in the buffer. */
  private awaited: () => number = () => 0

  constructor(connection: Connection) {
    this.connection = connection
  }

  /** Adds a command, which must not change afterwards. */
  add(bytes: Uint8Array): void {
    if (bytes.length >= directSize) {
      this.flush()
      this.connection.write(bytes)
      return
    }
    this.reserve(bytes.length).set(bytes, this.used)
    this.used += bytes.length
    this.commands++
  }

  /** Adds a command. */
  encode(command: Encodable): void {
    const { size } = command
    if (size > maxBufferSize) {
      const bytes = Buffer.allocUnsafeSlow(size)
      command.encodeTo(bytes, 0)
      this.add(bytes)
      return
    }
    command.encodeTo(this.reserve(size), this.used)
    this.used += size
    this.commands++
  }

  /** Sets the function that returns the number of commands without a reply, including those that are not written yet. */
  awaitReplies(awaited: () => number): void {
    this.awaited = awaited
  }

  /** Keeps commands until `release`. */
  hold(): void {
    this.isHeld = true
  }

  release(): void {
    this.isHeld = false
    if (!this.isScheduled) this.step()
  }

  /**
   * Writes the buffer, or puts that off until the end of this round of the event loop, if the server is still busy with more
   * commands than the buffer has. Otherwise, with many commands in flight, each reply would cause a write of one command.
   */
  private readonly step = (): void => {
    if (this.used === 0) {
      this.isScheduled = false
      return
    }
    if (this.deferrals < maxDeferrals && this.awaited() > 2 * this.commands) {
      this.deferrals++
      this.isScheduled = true
      setImmediate(this.step)
      return
    }
    this.flush()
  }

  /** Passes all commands to the connection. */
  readonly flush = (): void => {
    this.isScheduled = false
    const { buffer, used } = this
    if (buffer === undefined || used === 0) return
    this.used = 0
    this.commands = 0
    this.deferrals = 0
    const isReusable = this.connection.write(buffer.subarray(0, used))
    if (!isReusable) this.buffer = undefined
  }

  /** Returns a buffer with this much room from `used` on. */
  private reserve(size: number): Buffer {
    if (this.used + size > maxBufferSize) this.flush()
    const { buffer, used } = this
    const needed = used + size
    if (!this.isHeld && !this.isScheduled) {
      this.isScheduled = true
      // After all code that runs now, such as the fibers that the replies of one read have resumed, and before any other event.
      queueMicrotask(this.step)
    }
    if (buffer !== undefined && buffer.length >= needed) return buffer
    const larger = Buffer.allocUnsafeSlow(Math.max(firstBufferSize, Math.min(maxBufferSize, 2 * needed)))
    if (buffer !== undefined && used > 0) buffer.copy(larger, 0, 0, used)
    this.buffer = larger
    return larger
  }
}
