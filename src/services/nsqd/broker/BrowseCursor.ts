/**
 * Where the next page of a memory topic's messages begins (docs/protocol/http.md#messages-of-memory-topics): behind an id among those in
 * memory, or at a place in the disk queue. It has the end of the disk queue as of the first page: what is written behind it meanwhile is
 * not shown, so that a message is not shown twice that went from memory to disk.
 */
import type { QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import { isBefore } from "../storage/QueuePositions.ts"

/** An id as three numbers, so that ids are compared without strings: 6, 6 and 4 bytes. */
export interface IdOrder {
  readonly high: number
  readonly middle: number
  readonly low: number
}

/** The id at `offset`. */
export const idAt = (bytes: Buffer, offset: number): IdOrder => ({
  high: bytes.readUIntBE(offset, 6),
  middle: bytes.readUIntBE(offset + 6, 6),
  low: bytes.readUInt32BE(offset + 12)
})

/** Negative if the first id comes before the second, 0 for equal ids. */
export const compareIds = (one: IdOrder, other: IdOrder): number =>
  one.high - other.high || one.middle - other.middle || one.low - other.low

export interface BrowseCursor {
  /** Messages in memory follow whose ids are behind this one; all of them if it is `undefined`. */
  readonly after: IdOrder | undefined
  /** Where the disk queue is read from; `undefined` until the messages in memory are over. */
  readonly place: QueuePosition | undefined
  /** Where it ends. */
  readonly end: QueuePosition
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

const textOf = ({ file, offset }: QueuePosition): string => `${file}.${offset}`

/** Returns the cursor as text: `m.<id>.<end>` or `d.<place>.<end>`. */
export const encode = ({ after, end, place }: BrowseCursor): string =>
  place === undefined
    ? `m.${after === undefined ? "" : hex(after.high, 12) + hex(after.middle, 12) + hex(after.low, 8)}.${textOf(end)}`
    : `d.${textOf(place)}.${textOf(end)}`

const pattern = /^(?:m\.([0-9a-f]{32})?|d\.(\d{1,15})\.(\d{1,15}))\.(\d{1,15})\.(\d{1,15})$/

/** Returns the cursor that `encode` made; `undefined` for another text. */
export const decode = (text: string): BrowseCursor | undefined => {
  const match = pattern.exec(text)
  if (match === null) return undefined
  const [, id, file, offset, endFile, endOffset] = match
  return {
    after: id === undefined ? undefined : idAt(Buffer.from(id, "hex"), 0),
    place: file === undefined ? undefined : { file: Number(file), offset: Number(offset) },
    end: { file: Number(endFile), offset: Number(endOffset) }
  }
}

/** Whether the disk queue has nothing behind the place. */
export const isAtEnd = (place: QueuePosition, end: QueuePosition): boolean => !isBefore(place, end)
