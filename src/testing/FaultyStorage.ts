/**
 * Storage in memory that fails or delays on demand, for tests of a broker whose disk is full, broken or slow.
 */
import { Context, Effect, Latch, Layer } from "effect"
import { StorageError, StorageErrorReason } from "../services/nsqd/disk/StorageError.ts"
import type { BackendQueue, QueueView } from "../services/nsqd/storage/BackendQueue.ts"
import { Storage } from "../services/nsqd/storage/Storage.ts"

/**
 * The faults of a `FaultyStorage`. They take effect at once, for every queue.
 *
 * @since 0.1.0
 * @category services
 */
export class StorageFaults extends Context.Service<StorageFaults, {
  /** Fails every write with this description; `undefined` ends the fault. */
  readonly failWrites: (description: string | undefined) => Effect.Effect<void>
  /** Fails every read with this description; `undefined` ends the fault. */
  readonly failReads: (description: string | undefined) => Effect.Effect<void>
  /** Delays writes until `resumeWrites`. */
  readonly holdWrites: Effect.Effect<void>
  /** Executes the delayed writes. */
  readonly resumeWrites: Effect.Effect<void>
  /** Delays the results of reads until `resumeReads`. */
  readonly holdReads: Effect.Effect<void>
  /** Completes the delayed reads. */
  readonly resumeReads: Effect.Effect<void>
  /** Returns the number of writes and reads so far. */
  readonly counts: () => { readonly writes: number; readonly reads: number }
}>()("effect-nsq/testing/StorageFaults") {}

const make = Effect.gen(function*() {
  const storage = yield* Storage
  const writing = yield* Latch.make(true)
  const reading = yield* Latch.make(true)
  const failures: { writes: string | undefined; reads: string | undefined } = { writes: undefined, reads: undefined }
  const counts = { writes: 0, reads: 0 }

  const checked = <A>(kind: keyof typeof failures, effect: Effect.Effect<A, StorageError>) =>
    Effect.suspend(() => {
      const description = failures[kind]
      return description === undefined
        ? effect
        : Effect.fail(new StorageError({ reason: StorageErrorReason.DiskFailure({ description, code: "EIO" }) }))
    })
  const counted = <A, E>(kind: keyof typeof counts, effect: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      counts[kind]++
      return effect
    })
  const write = <A>(effect: Effect.Effect<A, StorageError>) =>
    counted("writes", writing.whenOpen(checked("writes", effect)))

  const faultyView = ({ open, tail }: QueueView): QueueView => ({
    tail,
    open: Effect.map(open, (reader) => ({
      read: (from, to, maxBytes) => checked("reads", reader.read(from, to, maxBytes))
    }))
  })

  const faulty = (queue: BackendQueue): BackendQueue => ({
    name: queue.name,
    get depth() {
      return queue.depth
    },
    get hasMore() {
      return queue.hasMore
    },
    append: (runs) => write(queue.append(runs)),
    read: (maxBytes) => counted("reads", Effect.tap(checked("reads", queue.read(maxBytes)), () => reading.await)),
    get view() {
      return queue.view === undefined ? undefined : faultyView(queue.view)
    },
    sync: checked("writes", queue.sync),
    recent: checked("reads", queue.recent),
    empty: checked("writes", queue.empty),
    delete: checked("writes", queue.delete)
  })

  return Context.make(Storage, {
    openQueue: (name) => Effect.map(storage.openQueue(name), faulty),
    loadMetadata: storage.loadMetadata,
    saveMetadata: (current) => write(storage.saveMetadata(current)),
    recordCreation: storage.recordCreation,
    refusal: storage.refusal,
    openLog: storage.openLog,
    hasLogs: storage.hasLogs === true,
    hasQueue: storage.hasQueue,
    hasLog: storage.hasLog,
    loadDurabilities: storage.loadDurabilities,
    saveDurabilities: storage.saveDurabilities,
    loadPolicies: storage.loadPolicies,
    savePolicies: storage.savePolicies,
    prepareStop: storage.prepareStop,
    health: Effect.suspend(() => failures.writes === undefined ? storage.health : Effect.succeed(failures.writes))
  }).pipe(Context.add(StorageFaults, {
    failWrites: (description) =>
      Effect.sync(() => {
        failures.writes = description
      }),
    failReads: (description) =>
      Effect.sync(() => {
        failures.reads = description
      }),
    holdWrites: Effect.asVoid(writing.close),
    resumeWrites: Effect.asVoid(writing.open),
    holdReads: Effect.asVoid(reading.close),
    resumeReads: Effect.asVoid(reading.open),
    counts: () => ({ ...counts })
  }))
})

/**
 * Storage in memory, and its faults.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Storage | StorageFaults> = Layer.effectContext(make).pipe(
  Layer.provide(Storage.layerMemory)
)
