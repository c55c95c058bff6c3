/**
 * Shared parts of the storage tests: queues on a disk that can fail, with numbers as messages.
 */
import { Effect, Exit, Layer, References, Scope } from "effect"
import { messageHeaderSize } from "../../../../src/protocol/client/Message.ts"
import { Disk, type DiskError } from "../../../../src/services/nsqd/disk/Disk.ts"
import type { BackendQueue, RecordRun, StoredRun } from "../../../../src/services/nsqd/storage/BackendQueue.ts"
import * as DiskQueue from "../../../../src/services/nsqd/storage/DiskQueue.ts"
import type { DiskQueueOptions } from "../../../../src/services/nsqd/storage/QueueHost.ts"
import * as QueueInventory from "../../../../src/services/nsqd/storage/QueueInventory.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"

export const options: DiskQueueOptions = {
  dataPath: "/data",
  maxBytesPerFile: 1000,
  syncEvery: 1,
  maxMsgSize: 1000
}

/** Records whose bodies are these numbers, padded to `bodySize` bytes. */
export const recordsOf = (numbers: ReadonlyArray<number>, bodySize = 8): RecordRun => {
  const size = messageHeaderSize + bodySize
  const bytes = Buffer.alloc(numbers.length * (4 + size))
  numbers.forEach((number, i) => {
    bytes.writeInt32BE(size, i * (4 + size))
    bytes.writeInt32BE(number, i * (4 + size) + 4 + messageHeaderSize)
  })
  return { bytes, start: 0, end: bytes.length, count: numbers.length }
}

/** The numbers in a run. */
export const numbersOf = (run: StoredRun): ReadonlyArray<number> => {
  const bytes = Buffer.from(run.bytes)
  const numbers: Array<number> = []
  for (let at = run.start; at < run.end; at += 4 + bytes.readInt32BE(at)) {
    numbers.push(bytes.readInt32BE(at + 4 + messageHeaderSize))
  }
  return numbers
}

export const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)

/** Settles the messages `index` to `end` of a run with bodies of equal size. */
export const settle = (run: StoredRun, index = 0, end = run.count): void => {
  const frameSize = (run.end - run.start) / run.count + 4
  run.ledger.settle(index * frameSize, end - index)
}

/** A queue that its test closes and reopens. */
export interface OpenQueue {
  readonly queue: DiskQueue.DiskQueue
  readonly close: Effect.Effect<void>
  /** The failure that `/ping` would report. */
  readonly health: () => DiskError | undefined
  /** The work of the timers. */
  readonly saveState: Effect.Effect<void>
  readonly sync: Effect.Effect<void>
}

export const open = Effect.fnUntraced(function*(changed: Partial<DiskQueueOptions> = {}) {
  const scope = yield* Scope.make()
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  let failure: DiskError | undefined
  // As the catalogue of the data directory does at start.
  yield* Effect.ignore(Disk.use(({ syncDirectory }) => syncDirectory(options.dataPath)))
  const names = Array.from((yield* FaultyDisk).files().keys(), (path) => path.slice(options.dataPath.length + 1))
  const queue = yield* DiskQueue.DiskQueue.open(
    "t",
    yield* Disk,
    { ...options, ...changed },
    QueueInventory.fromNames("t", names),
    {
      note: (_, error) => void (failure = error),
      changed: () => {},
      closed: () => {},
      isFull: () => false,
      fork: (work) => void fork(work)
    }
  ).pipe(Scope.provide(scope))
  const opened: OpenQueue = {
    queue,
    close: Scope.close(scope, Exit.void),
    health: () => failure,
    saveState: Effect.andThen(queue.saveState, queue.tidy),
    sync: queue.syncIfDirty
  }
  return opened
})

/** Reads everything and settles it. */
export const drain = Effect.fnUntraced(function*(queue: BackendQueue) {
  const numbers: Array<number> = []
  for (let run = yield* queue.read(300); run !== undefined; run = yield* queue.read(300)) {
    numbers.push(...numbersOf(run))
    run.ledger.settle(0, run.count)
  }
  return numbers
})

/** An empty disk; the queues' log lines about failures are hidden. */
export const layer: Layer.Layer<Disk | FaultyDisk> = Layer.merge(
  FaultyDisk.layer,
  Layer.succeed(References.MinimumLogLevel, "None")
)
