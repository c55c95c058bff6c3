/**
 * Messages of a topic's disk queue that a channel keeps in memory because its own disk fails. The topic's files keep them until the
 * channel has finished, dropped or stored every one of them.
 */
import type { Ledger, StoredRecords } from "../../../protocol/client/MessageBatch.ts"

/** A record is the size of its message and the message; a frame has four more bytes for its type. */
const recordSizeBytes = 4
const frameTypeBytes = 4

export class KeptRecords implements Ledger {
  /** For each message, by the position of its frame: the position of the next one. */
  private readonly following = new Map<number, number>()
  private readonly open = new Set<number>()
  private readonly finished: () => void

  /** `finished` is called once, when the last message of `records` is settled. */
  constructor({ bytes, count, start }: StoredRecords, finished: () => void) {
    this.finished = finished
    const sizes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let from = start
    let position = 0
    for (let index = 0; index < count; index++) {
      const size = recordSizeBytes + sizes.getInt32(from)
      this.open.add(position)
      this.following.set(position, position + size + frameTypeBytes)
      from += size
      position += size + frameTypeBytes
    }
  }

  settle(position: number, count: number): void {
    if (this.open.size === 0) return
    let at: number | undefined = position
    for (let left = count; left > 0 && at !== undefined; left--) {
      this.open.delete(at)
      at = this.following.get(at)
    }
    if (this.open.size === 0) this.finished()
  }
}
