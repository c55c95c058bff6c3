/**
 * The memory of all logs of a daemon for messages that may be read again soon. It is bounded in bytes, so that a thousand topics do
 * not take a thousand times the memory of one: the log that has used its part least recently gives up its oldest messages first.
 *
 * Hot path: called once per commit and once per record that is read.
 */

import { RecordBuffers } from "./RecordBuffers.ts"
import { RecordChecksum } from "./RecordChecksum.ts"

/** A part of the memory. */
export interface LogMemoryUser {
  /** Bytes that the part takes. */
  readonly bytes: number
  /** Gives up the oldest messages, and calls `LogMemory.shrank`. */
  readonly evict: () => void
}

export class LogMemory {
  private readonly limit: number
  private used = 0
  /** Least recently used first. */
  private readonly users = new Set<LogMemoryUser>()
  private latest: LogMemoryUser | undefined
  /** For the commits of all logs. */
  readonly buffers = new RecordBuffers()
  /** For the records of all logs. */
  readonly checksum = new RecordChecksum()

  /** `limit` is in bytes; by default 128 MiB. */
  constructor(limit = 128 * 1024 * 1024) {
    this.limit = limit
  }

  /** Bytes that all parts take. */
  get bytes(): number {
    return this.used
  }

  /** A part has grown by `bytes`. Makes space for it; the part itself may have to evict. */
  grew(user: LogMemoryUser, bytes: number): void {
    this.used += bytes
    if (this.latest !== user) {
      this.users.delete(user)
      this.users.add(user)
      this.latest = user
    }
    while (this.used > this.limit) {
      const [oldest] = this.users
      if (oldest === undefined) return
      if (oldest.bytes > 0) oldest.evict()
      else this.users.delete(oldest)
    }
  }

  /** A part has become smaller by `bytes`. */
  shrank(user: LogMemoryUser, bytes: number): void {
    this.used -= bytes
    if (user.bytes > 0) return
    this.users.delete(user)
    if (this.latest === user) this.latest = undefined
  }
}
