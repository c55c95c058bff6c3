/**
 * The Storage on disk, in NSQ's formats: disk queues and `nsqd.dat` in the data directory, which is locked for this daemon
 * alone. A timer syncs what has been written for longer than `--sync-timeout`.
 */
import { Duration, Effect, Layer, Result } from "effect"
import * as Path from "node:path"
import { decodeNsqdMetadata, encodeNsqdMetadata } from "../../protocol/NsqdMetadata.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { Disk, type DiskError } from "./Disk.ts"
import * as DiskQueue from "./DiskQueue.ts"
import * as QueueInventory from "./QueueInventory.ts"
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

    const open = (name: string) =>
      disk.list(dataPath === "" ? "." : dataPath).pipe(
        // A missing directory fails when something is written, as in NSQ.
        Effect.catchIf((error) => error.code === "ENOENT", () => Effect.succeed([])),
        Effect.mapError(({ message }) => new StorageError({ description: message })),
        Effect.flatMap((names) =>
          DiskQueue.open(
            name,
            { dataPath, maxBytesPerFile, maxMsgSize, syncEvery },
            QueueInventory.fromNames(name, names),
            health
          )
        ),
        Effect.provideService(Disk, disk)
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
