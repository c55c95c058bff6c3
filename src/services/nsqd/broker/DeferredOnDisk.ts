/**
 * The delays of deferred messages in a topic's disk queue, whose format has no field for them. They are kept in
 * memory by message id until the message is read; NSQ loses the delay here. After a restart such messages are
 * delivered at once, as in NSQ.
 */
import { formatMessageKey, messageKey } from "../../../protocol/client/Message.ts"
import { MessageBatch, type StoredRecords } from "../../../protocol/client/MessageBatch.ts"

const recordIdOffset = 14

const idAt = (bytes: Uint8Array, record: number): string =>
  formatMessageKey(messageKey(bytes.subarray(record + recordIdOffset, record + recordIdOffset + 16)))

export class DeferredOnDisk {
  private readonly delays = new Map<string, number>()

  get size(): number {
    return this.delays.size
  }

  /** Sets the delay of the single message in `record`, counted from its arrival at a channel. */
  add(record: StoredRecords, delayMillis: number): void {
    this.delays.set(idAt(record.bytes, record.start), delayMillis)
  }

  clear(): void {
    this.delays.clear()
  }

  /** Splits a run into batches: runs of ordinary messages, and each deferred message alone with its delay. */
  split(run: StoredRecords): ReadonlyArray<MessageBatch> {
    const bytes = Buffer.from(run.bytes.buffer, run.bytes.byteOffset, run.bytes.length)
    const batches: Array<MessageBatch> = []
    let start = run.start
    let count = 0
    const cut = (end: number) => {
      if (count > 0) batches.push(MessageBatch.stored({ bytes, start, end, count }))
      count = 0
    }
    for (let at = run.start; at < run.end;) {
      const next = at + 4 + bytes.readInt32BE(at)
      const id = idAt(bytes, at)
      const delay = this.delays.get(id)
      if (delay === undefined) {
        if (count === 0) start = at
        count++
      } else {
        cut(at)
        this.delays.delete(id)
        // Copied, because the message may wait long and must not retain the whole run.
        const record = Buffer.from(bytes.subarray(at, next))
        batches.push(MessageBatch.stored({ bytes: record, start: 0, end: record.length, count: 1 }, undefined, delay))
      }
      at = next
    }
    cut(run.end)
    return batches
  }
}
