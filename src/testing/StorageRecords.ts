/**
 * Messages with numbers as bodies, as the laws for Storage append, read and settle them.
 */
import { Effect, type Scope } from "effect"
import { GuidGenerator } from "../protocol/client/Guid.ts"
import { messageHeaderSize } from "../protocol/client/Message.ts"
import { MessageBatch } from "../protocol/client/MessageBatch.ts"
import type { QueuePosition } from "../protocol/storage/DiskQueueFormat.ts"
import { joinBodies } from "../services/nsqd/broker/Publisher.ts"
import type { StorageError } from "../services/nsqd/disk/StorageError.ts"
import type { BackendQueue, QueueView, RecordRun, StoredRun } from "../services/nsqd/storage/BackendQueue.ts"

const bodySize = 8
const recordSize = 4 + messageHeaderSize + bodySize
/** A frame has the type of its data in addition. */
const frameSize = recordSize + 4

/** Returns the numbers from `from` to `to`, without `to`. */
export const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)

/** Makes runs of records whose bodies are numbers, with unique ids. */
export const makeRecords = (): (numbers: ReadonlyArray<number>) => RecordRun => {
  const ids = new GuidGenerator(1)
  let timestamp = 0n
  return (numbers) => {
    timestamp += 1_000_000n
    const bodies = numbers.map((number) => Buffer.from(String(number).padStart(bodySize, "0")))
    return MessageBatch.published(joinBodies(bodies), timestamp, ids.take(timestamp, numbers.length))
      .encodeRecords(0, numbers.length)
  }
}

/** The numbers in a run. */
export const numbersIn = (run: StoredRun): ReadonlyArray<number> => {
  const bytes = Buffer.from(run.bytes.buffer, run.bytes.byteOffset, run.bytes.length)
  return range(0, run.count).map((i) => {
    const body = run.start + i * recordSize + 4 + messageHeaderSize
    return Number(bytes.toString("latin1", body, body + bodySize))
  })
}

/** Settles the messages `from` to `to` of a run. */
export const settle = (run: StoredRun, from: number, to: number): void => run.ledger.settle(from * frameSize, to - from)

/** Reads everything. */
export const readAll = Effect.fnUntraced(function*(
  queue: BackendQueue
): Effect.fn.Return<
  { readonly runs: ReadonlyArray<StoredRun>; readonly numbers: ReadonlyArray<number> },
  StorageError
> {
  const runs: Array<StoredRun> = []
  for (let run = yield* queue.read(256); run !== undefined; run = yield* queue.read(256)) runs.push(run)
  return { runs, numbers: runs.flatMap(numbersIn) }
})

/** A message of a view, and the place behind it. */
interface Viewed {
  readonly number: number
  readonly next: QueuePosition
}

/** Looks at everything that waits in a queue, in parts, from `from` to the end of `view`. */
export const viewAll = Effect.fnUntraced(
  function*(
    view: QueueView,
    from: QueuePosition = { file: 0, offset: 0 }
  ): Effect.fn.Return<ReadonlyArray<Viewed>, StorageError, Scope.Scope> {
    const reader = yield* view.open
    const viewed: Array<Viewed> = []
    for (let place = from;;) {
      const run = yield* reader.read(place, view.tail, 256)
      if (run === undefined) return viewed
      const { bytes, place: { file, offset }, starts } = run
      for (const i of range(0, starts.length - 1)) {
        const body = starts[i]! + 4 + messageHeaderSize
        viewed.push({
          number: Number(bytes.toString("latin1", body, starts[i + 1])),
          next: { file, offset: offset + starts[i + 1]! }
        })
      }
      place = { file, offset: offset + starts[starts.length - 1]! }
    }
  },
  Effect.scoped
)
