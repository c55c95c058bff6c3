/**
 * The state of a durable topic's channels (docs/protocol/files.md#state-of-the-channels): which messages are finished, returned
 * with their attempts, or deferred until when. A state file is a sequence of blocks with checksums. A file begins with
 * a checkpoint: the changes that lead from nothing to the whole state. A large checkpoint consists of several blocks, and changes
 * that are made meanwhile lie between them. The blocks behind it are the changes since.
 *
 * Changes are runs of numbers with one to eight bytes each: seven bits per byte, the lowest first.
 */
import { crc32 } from "node:zlib"

/** Receives the changes of a state in their order. `channel` is the channel's number. */
export interface LogStateChanges {
  /** The random number of the log. */
  epoch(epoch: number): void
  created(channel: number, name: string, start: number): void
  deleted(channel: number): void
  /** The messages from `from` up to, but not including, `to` are finished. */
  finished(channel: number, from: number, to: number): void
  /** The message waits again; its next delivery has these attempts. */
  returned(channel: number, sequence: number, attempts: number): void
  /** The message waits until `due`, in ms since the Unix epoch. */
  deferred(channel: number, sequence: number, due: number, attempts: number): void
  /** The topic hands no messages from `sequence` on to its channels: it is paused or has no channels. */
  held(sequence: number): void
  released(): void
  /**
   * The messages from `from` up to, but not including, `to` do not exist: their write failed, they are damaged, or their segment was
   * removed while an older one was needed.
   */
  lost(from: number, to: number): void
  /** The last message id issued so far: its time unit and sequence number. */
  issued(unit: number, sequence: number): void
  /** The log has no messages below `sequence` any more; the next message has at least this sequence. */
  trimmed(sequence: number): void
}

const Tag = {
  epoch: 1,
  created: 2,
  deleted: 3,
  finished: 4,
  returned: 5,
  deferred: 6,
  held: 7,
  released: 8,
  lost: 9,
  issued: 10,
  trimmed: 11
} as const

/** The largest size of a number: 8 x 7 bits. */
const numberBytes = 8
const initialBytes = 256

/** Encodes changes into a buffer that is reused. */
export class LogStateEncoder implements LogStateChanges {
  private bytes = Buffer.allocUnsafeSlow(initialBytes)
  private used = 0
  private readonly keptBytes: number

  /** `clear` keeps at most `keptBytes` for the next changes, by default 64 KiB. */
  constructor(keptBytes = 64 * 1024) {
    this.keptBytes = keptBytes
  }

  /** Number of encoded bytes. */
  get size(): number {
    return this.used
  }

  /** The encoded changes; valid until the next change. */
  get encoded(): Buffer {
    return this.bytes.subarray(0, this.used)
  }

  /** Forgets all changes. */
  clear(): void {
    this.used = 0
    if (this.bytes.length > this.keptBytes) this.bytes = Buffer.allocUnsafeSlow(initialBytes)
  }

  /** Adds changes that another encoder has encoded. */
  append(encoded: Buffer): void {
    this.reserve(encoded.length)
    encoded.copy(this.bytes, this.used)
    this.used += encoded.length
  }

  epoch(epoch: number): void {
    this.start(Tag.epoch)
    this.number(epoch)
  }
  created(channel: number, name: string, start: number): void {
    const bytes = Buffer.from(name)
    this.start(Tag.created)
    this.number(channel)
    this.number(start)
    this.number(bytes.length)
    this.append(bytes)
  }
  deleted(channel: number): void {
    this.start(Tag.deleted)
    this.number(channel)
  }
  finished(channel: number, from: number, to: number): void {
    this.start(Tag.finished)
    this.number(channel)
    this.number(from)
    this.number(to - from)
  }
  returned(channel: number, sequence: number, attempts: number): void {
    this.start(Tag.returned)
    this.number(channel)
    this.number(sequence)
    this.number(attempts)
  }
  deferred(channel: number, sequence: number, due: number, attempts: number): void {
    this.start(Tag.deferred)
    this.number(channel)
    this.number(sequence)
    this.number(due)
    this.number(attempts)
  }
  held(sequence: number): void {
    this.start(Tag.held)
    this.number(sequence)
  }
  released(): void {
    this.start(Tag.released)
  }
  lost(from: number, to: number): void {
    this.start(Tag.lost)
    this.number(from)
    this.number(to - from)
  }
  issued(unit: number, sequence: number): void {
    this.start(Tag.issued)
    this.number(unit)
    this.number(sequence)
  }
  trimmed(sequence: number): void {
    this.start(Tag.trimmed)
    this.number(sequence)
  }

  private start(tag: number): void {
    this.reserve(1 + 4 * numberBytes)
    this.bytes[this.used++] = tag
  }

  private number(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.bytes[this.used++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.bytes[this.used++] = rest
  }

  private reserve(size: number): void {
    if (this.used + size <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.used + size, this.bytes.length * 2))
    this.encoded.copy(larger)
    this.bytes = larger
  }
}

/** Passes the encoded changes to `changes`; false if the bytes end within a change or have an unknown one. */
export const decodeLogState = (bytes: Buffer, changes: LogStateChanges): boolean => {
  let at = 0
  let whole = true
  const number = (): number => {
    let value = 0
    let unit = 1
    for (;;) {
      const byte = bytes[at++]
      if (byte === undefined) {
        whole = false
        return 0
      }
      if (byte < 128) return value + byte * unit
      value += (byte & 127) * unit
      unit *= 128
    }
  }
  const string = (): string => {
    const size = number()
    if (at + size > bytes.length) whole = false
    at += size
    return bytes.toString("utf8", at - size, at)
  }
  while (at < bytes.length) {
    const tag = bytes[at++]
    const a = tag === Tag.released ? 0 : number()
    switch (tag) {
      case Tag.epoch: {
        if (whole) changes.epoch(a)
        break
      }
      case Tag.created: {
        const start = number()
        const name = string()
        if (whole) changes.created(a, name, start)
        break
      }
      case Tag.deleted: {
        if (whole) changes.deleted(a)
        break
      }
      case Tag.finished: {
        const from = number()
        const count = number()
        if (whole) changes.finished(a, from, from + count)
        break
      }
      case Tag.returned: {
        const sequence = number()
        const attempts = number()
        if (whole) changes.returned(a, sequence, attempts)
        break
      }
      case Tag.deferred: {
        const sequence = number()
        const due = number()
        const attempts = number()
        if (whole) changes.deferred(a, sequence, due, attempts)
        break
      }
      case Tag.held: {
        if (whole) changes.held(a)
        break
      }
      case Tag.released: {
        changes.released()
        break
      }
      case Tag.lost: {
        const count = number()
        if (whole) changes.lost(a, a + count)
        break
      }
      case Tag.issued: {
        const sequence = number()
        if (whole) changes.issued(a, sequence)
        break
      }
      case Tag.trimmed: {
        if (whole) changes.trimmed(a)
        break
      }
      default: {
        return false
      }
    }
    if (!whole) return false
  }
  return true
}

/** Size of a block's header in bytes. */
export const stateHeaderSize = 16
/** The first four bytes of each block: `NSQS`. */
const magic = 0x4e535153

/** The highest bits of a block's size. */
const checkpointFlag = 0x8000_0000
const continuedFlag = 0x4000_0000
const sizeMask = 0x3fff_ffff

/** What a block of a state file holds. A `part` of a checkpoint is followed by further ones, the last of which is a `checkpoint`. */
export type StateBlockKind = "part" | "checkpoint" | "changes"

/** A block of a state file: changes, and where the next block starts. */
export interface StateBlock {
  readonly kind: StateBlockKind
  readonly changes: Buffer
  readonly end: number
}

const flagsOf: Record<StateBlockKind, number> = {
  part: checkpointFlag + continuedFlag,
  checkpoint: checkpointFlag,
  changes: 0
}

const kindOf = (flags: number): StateBlockKind => {
  if (flags < checkpointFlag) return "changes"
  return flags < checkpointFlag + continuedFlag ? "checkpoint" : "part"
}

/** Returns the header of a block with these changes. */
export const encodeStateHeader = (kind: StateBlockKind, changes: Buffer): Buffer => {
  const header = Buffer.allocUnsafe(stateHeaderSize)
  header.writeUInt32BE(magic, 0)
  header.writeUInt32BE(flagsOf[kind] + changes.length, 4)
  header.writeUInt32BE(crc32(changes), 8)
  header.writeUInt32BE(crc32(header.subarray(0, 12)), 12)
  return header
}

/** Returns the size of the block with the header at `at`; `undefined` if no valid header starts there. */
export const stateBlockSize = (bytes: Buffer, at: number): number | undefined => {
  if (at + stateHeaderSize > bytes.length || bytes.readUInt32BE(at) !== magic) return undefined
  if (bytes.readUInt32BE(at + 12) !== crc32(bytes.subarray(at, at + 12))) return undefined
  return stateHeaderSize + (bytes.readUInt32BE(at + 4) & sizeMask)
}

/** Reads the block at `at`; `undefined` if no valid one starts there. */
export const readStateBlock = (bytes: Buffer, at: number): StateBlock | undefined => {
  const size = stateBlockSize(bytes, at)
  if (size === undefined || at + size > bytes.length) return undefined
  const end = at + size
  const changes = bytes.subarray(at + stateHeaderSize, end)
  if (crc32(changes) !== bytes.readUInt32BE(at + 8)) return undefined
  return { kind: kindOf(bytes.readUInt32BE(at + 4)), changes, end }
}

const magicBytes = Buffer.from("NSQS")

/** Returns the first position from `at` where a valid header of a block starts; -1 without a valid header. */
export const findStateHeader = (bytes: Buffer, at: number): number => {
  for (let found = bytes.indexOf(magicBytes, at); found >= 0; found = bytes.indexOf(magicBytes, found + 1)) {
    if (stateBlockSize(bytes, found) !== undefined) return found
  }
  return -1
}
