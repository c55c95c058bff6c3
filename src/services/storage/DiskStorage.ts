/**
 * The Storage on disk, in NSQ's formats: disk queues and `nsqd.dat` in the data directory, which is locked for this daemon
 * alone. A timer syncs what has been written for longer than `--sync-timeout`.
 */
import { Duration, Effect, Layer, Result } from "effect"
import * as Path from "node:path"
import { decodeNsqdMetadata, encodeNsqdMetadata } from "../../protocol/NsqdMetadata.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import * as Catalogue from "./Catalogue.ts"
import { Disk, type DiskError } from "./Disk.ts"
import * as DiskQueue from "./DiskQueue.ts"
import { Storage, StorageError } from "./Storage.ts"

/** Syncs are never further apart than this, also where the option says 0, which NSQ crashes at. */
const minSyncTimeoutMillis = 10

export const layer: Layer.Layer<Storage, never, Disk> = Layer.effect(
  Storage,
  Effect.gen(function*() {
    const disk = yield* Disk
    const { dataPath, maxBytesPerFile, maxMsgSize, syncEvery, syncTimeout } = yield* NsqdOptions
    const metadataPath = Path.join(dataPath, "nsqd.dat")
    const queues = new Set<DiskQueue.DiskQueue>()
    /** The last failure of each queue that does not work, oldest first: one queue's success says nothing about others. */
    const failures = new Map<string, DiskError>()
    const health: DiskQueue.QueueHealth = {
      note: (queue, error) => {
        if (error === undefined) failures.delete(queue)
        else failures.set(queue, error)
      }
    }

    yield* Effect.sync(() => queues.forEach((queue) => queue.syncIfDirty())).pipe(
      Effect.delay(Duration.millis(Math.max(minSyncTimeoutMillis, Duration.toMillis(syncTimeout)))),
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
          DiskQueue.open(
            name,
            { dataPath, maxBytesPerFile, maxMsgSize, syncEvery },
            inventoryOf(name),
            health
          ).pipe(Effect.provideService(Disk, disk))
      )

    return Storage.of({
      openQueue: (name) =>
        Effect.tap(open(name), (queue) =>
          Effect.acquireRelease(
            Effect.sync(() => queues.add(queue)),
            () =>
              Effect.sync(() => {
                queues.delete(queue)
                failures.delete(name)
              })
          )),
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
          disk.writeText(metadataPath, encodeNsqdMetadata(metadata)),
          ({ message }) => new StorageError({ description: message })
        ),
      health: Effect.sync(() => {
        for (const failure of failures.values()) return failure.message
        return undefined
      })
    })
  })
)
