/**
 * The Storage on disk, in NSQ's formats: disk queues and `nsqd.dat` in the data directory, which is locked for this daemon
 * alone. One timer syncs what has been written for longer than `--sync-timeout`; another records what was finished. Neither
 * costs anything for queues that are not in use.
 */
import { Duration, Effect, Latch, Layer, Result } from "effect"
import * as Path from "node:path"
import { decodeNsqdMetadata, encodeNsqdMetadataInSteps } from "../../protocol/NsqdMetadata.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { finish, Turns } from "../Turns.ts"
import * as Catalogue from "./Catalogue.ts"
import { Disk, type DiskError } from "./Disk.ts"
import * as DiskQueue from "./DiskQueue.ts"
import { Storage, StorageError } from "./Storage.ts"

/** How long what consumers finished may be unknown to the disk: after `kill -9` no more than that is delivered again. */
const saveStateEvery = Duration.millis(50)

/** Queues that sync or record their state at a time. */
const queuesAtOnce = 16

/** Syncs are never further apart than this, also where the option says 0, which NSQ crashes at. */
const minSyncTimeoutMillis = 10

export const layer: Layer.Layer<Storage, never, Disk> = Layer.effect(
  Storage,
  Effect.gen(function*() {
    const disk = yield* Disk
    const turns = yield* Turns
    const { dataPath, maxBytesPerFile, maxMsgSize, syncEvery, syncTimeout } = yield* NsqdOptions
    const metadataPath = Path.join(dataPath, "nsqd.dat")
    /** The last failure of each queue that does not work, oldest first: one queue's success says nothing about others. */
    const failures = new Map<string, DiskError>()
    /** Queues in use: they are synced, and close their files once they are not used any more. */
    const inUse = new Set<DiskQueue.DiskQueue>()
    /** Queues whose recorded state is out of date. */
    const changed = new Set<DiskQueue.DiskQueue>()
    const hasChanged = yield* Latch.make(false)
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const host: DiskQueue.QueueHost = {
      note: (queue, error) => {
        if (error === undefined) failures.delete(queue)
        else failures.set(queue, error)
      },
      changed: (queue) => {
        inUse.add(queue)
        changed.add(queue)
        hasChanged.openUnsafe()
      },
      fork: (work) => void fork(work)
    }

    yield* Effect.suspend(() =>
      Effect.forEach(
        Array.from(inUse),
        (queue) =>
          Effect.andThen(
            queue.syncIfDirty(),
            Effect.sync(() => queue.isAtRest && inUse.delete(queue))
          ),
        { concurrency: queuesAtOnce, discard: true }
      )
    ).pipe(
      Effect.delay(Duration.millis(Math.max(minSyncTimeoutMillis, Duration.toMillis(syncTimeout)))),
      Effect.forever,
      Effect.forkScoped
    )

    yield* Effect.suspend(() => {
      const queues = Array.from(changed)
      hasChanged.closeUnsafe()
      changed.clear()
      return Effect.forEach(queues, (queue) => queue.saveState(), { concurrency: queuesAtOnce, discard: true })
    }).pipe(
      Effect.delay(saveStateEvery),
      (save) => Effect.andThen(hasChanged.await, save),
      Effect.forever,
      Effect.forkScoped
    )

    /** Loaded by whatever comes first, before anything is written. */
    const catalogue = yield* Effect.cached(
      Effect.mapError(
        Catalogue.load(disk, dataPath === "" ? "." : dataPath),
        ({ message }) => new StorageError({ description: message })
      )
    )

    const open = (name: string) =>
      Effect.flatMap(
        catalogue,
        ({ disk, inventoryOf }) =>
          DiskQueue.DiskQueue.open(
            name,
            { dataPath, maxBytesPerFile, maxMsgSize, syncEvery },
            inventoryOf(name),
            host
          ).pipe(Effect.provideService(Disk, disk))
      )

    return Storage.of({
      openQueue: (name) =>
        Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => failures.delete(name))),
          Effect.tap(open(name), (queue) =>
            // Before the queue closes: nothing is to be recorded for it from then on.
            Effect.addFinalizer(() =>
              Effect.sync(() => {
                inUse.delete(queue)
                changed.delete(queue)
              })
            ))
        ),
      loadMetadata: Effect.gen(function*() {
        yield* catalogue
        const text = yield* Effect.mapError(
          disk.readText(metadataPath),
          ({ message }) => new StorageError({ description: message })
        )
        if (text === undefined) return undefined
        const metadata = decodeNsqdMetadata(text)
        if (Result.isSuccess(metadata)) return metadata.success
        return yield* new StorageError({
          description: `failed to parse metadata in ${metadataPath} - ${metadata.failure.message}`
        })
      }),
      saveMetadata: (metadata) =>
        Effect.mapError(
          Effect.flatMap(
            finish(turns, encodeNsqdMetadataInSteps(metadata)),
            (text) => disk.writeText(metadataPath, text)
          ),
          ({ message }) => new StorageError({ description: message })
        ),
      health: Effect.sync(() => {
        for (const failure of failures.values()) return failure.message
        return undefined
      })
    })
  })
)
