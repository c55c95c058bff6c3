/**
 * The Storage on disk in NSQ's formats: disk queues and `nsqd.dat` in the data directory, which is locked for this
 * daemon. One timer syncs changes older than `--sync-timeout`; another records settled messages. Neither costs
 * anything for unused queues.
 */
import { Clock, Duration, Effect, Latch, Layer, Random } from "effect"
import * as Path from "node:path"
import { logDirectoryName, logsDirectoryName, topicsOfLogs } from "../../../protocol/storage/LogFiles.ts"
import { Turns } from "../../core/Turns.ts"
import { version } from "../../core/Version.ts"
import { Disk } from "../disk/Disk.ts"
import { untilDescriptor } from "../disk/FilePool.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"
import type { LogHost } from "../log/LogHost.ts"
import { LogMemory } from "../log/LogMemory.ts"
import { removeDeletedLogs } from "../log/LogRemoval.ts"
import { TopicLog } from "../log/TopicLog.ts"
import type { LogDurability } from "../options/Durability.ts"
import * as OptionReads from "../options/OptionReads.ts"
import * as Catalogue from "./Catalogue.ts"
import { DiskQueue } from "./DiskQueue.ts"
import * as DurabilityFile from "./DurabilityFile.ts"
import { FreeSpace } from "./FreeSpace.ts"
import { MetadataFile } from "./MetadataFile.ts"
import * as PolicyFile from "./PolicyFile.ts"
import type { DiskQueueOptions, HostedQueue, QueueHost } from "./QueueHost.ts"
import { empty as noFiles } from "./QueueInventory.ts"
import { Reserve } from "./Reserve.ts"
import { Storage } from "./Storage.ts"
import { StorageHealth } from "./StorageHealth.ts"

/**
 * Milliseconds between the starts of two rounds of recording settled messages. What the last round did not record is
 * redelivered after `kill -9`, so it is short; it grows with the number of queues of the last round.
 */
const pauseMillis = (queues: number): number => 5 + queues / 20

/** Interval of looks at the space of the disk. */
const maintainEvery = Duration.seconds(1)
/** Between two looks at the age of retained messages. */
const sweepEvery = Duration.seconds(10)

/** Queues that sync or record their state concurrently. */
const queuesAtOnce = 16

/** The name for failures to open a queue. No queue has this name. */
const opening = "/open"

/** Minimum time between syncs, also for a sync timeout of 0, on which NSQ crashes. */
const minSyncTimeoutMillis = 10

/**
 * Storage in files of `dataPath`, in NSQ's formats (docs/protocol/files.md). Needs a `Disk`, such as `NodeDisk.layer`.
 * Lock the directory first (`DataDirectory.lock`): two brokers must not share one.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Storage, never, Disk> = Layer.effect(
  Storage,
  Effect.gen(function*() {
    const rawDisk = yield* Disk
    const turns = yield* Turns
    const { dataPath, maxBytesPerFile, maxMsgSize, minFreeBytes, segmentSize, syncEvery, syncTimeout } =
      yield* OptionReads.read(...OptionReads.ofStorage)
    const dataDirectory = dataPath === "" ? "." : dataPath
    const reserve = new Reserve(rawDisk, dataDirectory)
    const { disk } = reserve
    const health = new StorageHealth()
    const metadataFile = new MetadataFile(disk, dataPath, turns, health)
    /** Queues in use: they are synced, and close their files when they are no longer used. */
    const inUse = new Set<HostedQueue>()
    /** Queues whose recorded state is out of date. */
    const changed = new Set<HostedQueue>()
    const hasChanged = yield* Latch.make(false)
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const host: QueueHost = {
      note: (queue, error) => health.note(queue, error),
      changed: (queue) => {
        inUse.add(queue)
        changed.add(queue)
        hasChanged.openUnsafe()
      },
      closed: (queue) => {
        inUse.delete(queue)
        changed.delete(queue)
        health.note(queue.name, undefined)
      },
      isFull: () => reserve.refusal !== undefined,
      fork: (work) => void fork(work)
    }

    yield* Effect.suspend(() =>
      Effect.forEach(
        Array.from(inUse),
        (queue) =>
          Effect.andThen(
            queue.syncIfDirty,
            Effect.sync(() => queue.isAtRest && inUse.delete(queue))
          ),
        { concurrency: queuesAtOnce, discard: true }
      )
    ).pipe(
      Effect.andThen(
        Effect.suspend(() =>
          Effect.forEach(Array.from(written), (log) => log.sync, { concurrency: queuesAtOnce, discard: true })
        )
      ),
      Effect.delay(Duration.millis(Math.max(minSyncTimeoutMillis, Duration.toMillis(syncTimeout)))),
      Effect.forever,
      Effect.forkScoped
    )

    /** Queues whose state is being recorded. */
    const saving = new Set<HostedQueue>()
    const saveState = (queue: HostedQueue) =>
      Effect.ensuring(
        queue.saveState,
        Effect.sync(() => {
          saving.delete(queue)
          if (changed.has(queue)) hasChanged.openUnsafe()
        })
      )
    /** Queues with an outdated state that is not being recorded; the caller records it. */
    const takeChanged = (): ReadonlyArray<HostedQueue> => {
      const queues = Array.from(changed).filter((queue) => !saving.has(queue))
      hasChanged.closeUnsafe()
      for (const queue of queues) {
        changed.delete(queue)
        saving.add(queue)
      }
      return queues
    }
    /**
     * Records settled messages. Removing files and writing checksums wait for a running sync; `tidied` decides how to
     * wait.
     */
    const saveStates = (
      queues: ReadonlyArray<HostedQueue>,
      tidied: (queue: HostedQueue) => Effect.Effect<unknown>
    ) =>
      Effect.forEach(queues, (queue) => Effect.andThen(saveState(queue), tidied(queue)), {
        concurrency: queuesAtOnce,
        discard: true
      })
    yield* hasChanged.await.pipe(
      Effect.flatMap(() => {
        const queues = takeChanged()
        // Not part of the round: a slow write must not delay the recording of other queues.
        fork(saveStates(queues, (queue) => Effect.sync(() => fork(queue.tidy))))
        return Effect.sleep(pauseMillis(queues.length))
      }),
      Effect.forever,
      Effect.forkScoped
    )

    yield* reserve.maintain.pipe(Effect.andThen(Effect.sleep(maintainEvery)), Effect.forever, Effect.forkScoped)

    /** Loaded by the first use, before anything is written. */
    const catalogue = yield* Effect.cached(
      Effect.mapError(
        Catalogue.load(disk, dataDirectory),
        StorageError.fromDisk
      )
    )

    const queueOptions: DiskQueueOptions = { dataPath, maxBytesPerFile, maxMsgSize, syncEvery }
    const durabilities = DurabilityFile.make(disk, dataPath)
    const policies = PolicyFile.make(disk, dataPath)
    const logsDirectory = Path.join(dataPath, logsDirectoryName)
    const written = new Set<TopicLog>()
    const freeSpace = new FreeSpace(disk, { directory: dataDirectory, minFreeBytes, fork: (work) => void fork(work) })
    const openLogs = new Set<TopicLog>()
    yield* Effect.suspend(() => openLogs.size === 0 ? Effect.void : freeSpace.look).pipe(
      Effect.delay(maintainEvery),
      Effect.forever,
      Effect.forkScoped
    )
    yield* Effect.suspend(() => Effect.forEach(Array.from(openLogs), ({ history }) => history.sweep, { discard: true }))
      .pipe(
        Effect.delay(sweepEvery),
        Effect.forever,
        Effect.forkScoped
      )
    const clock = yield* Clock.Clock
    const random = yield* Random.Random
    const logHost: LogHost = {
      disk,
      memory: new LogMemory(),
      wallMillis: () => clock.currentTimeMillisUnsafe(),
      randomEpoch: () => Math.floor(random.nextDoubleUnsafe() * 2 ** 32),
      fork: (work) => void fork(work),
      note: (part, error) => health.note(part, error),
      refusal: (bytes) => {
        const description = freeSpace.admit(bytes) ?? reserve.refusal
        return description === undefined
          ? undefined
          : new StorageError({ reason: StorageErrorReason.DiskFull({ description, code: "ENOSPC" }) })
      }
    }
    /** Made by the first durable topic, so that the data directory of others has NSQ's files only. */
    const makeLogs = yield* Effect.cached(Effect.mapError(
      disk.makeDirectory(logsDirectory).pipe(
        Effect.andThen(disk.syncDirectory(dataDirectory)),
        Effect.andThen(freeSpace.look),
        Effect.andThen(logHost.memory.checksum.load)
      ),
      StorageError.fromDisk
    ))
    /** The topics with a log: their creation was acknowledged, whether or not nsqd.dat has them. */
    const loggedTopics = disk.list(logsDirectory).pipe(
      Effect.tap((names) => removeDeletedLogs(disk, logsDirectory, names)),
      Effect.map(topicsOfLogs),
      // A file of this name is not ours; only a durable topic, which needs the directory, fails because of it.
      Effect.catchIf(({ code }) => code === "ENOENT" || code === "ENOTDIR", () => Effect.succeed([])),
      Effect.mapError(StorageError.fromDisk)
    )
    /** The topics with a log at the start, and those that had one since. */
    const everLogged = yield* Effect.cached(Effect.map(loggedTopics, (names) => new Set<string>(names)))
    const hasLog = (topic: string) =>
      Effect.flatMap(
        everLogged,
        (names) =>
          !names.has(topic) ? Effect.succeed(false) : disk.list(Path.join(logsDirectory, logDirectoryName(topic))).pipe(
            Effect.as(true),
            Effect.catchIf((error) => error.code === "ENOENT", () => Effect.succeed(false)),
            Effect.mapError(StorageError.fromDisk)
          )
      )
    const noteOpening = (error: StorageError | undefined): Effect.Effect<void> =>
      Effect.suspend(() => {
        const wasFailing = health.isFailing(opening)
        health.note(opening, error)
        if (wasFailing === (error !== undefined)) return Effect.void
        return error === undefined
          ? Effect.logInfo("DISK: queues can be opened again")
          : Effect.logError(`DISK: failed to open a queue, publishes to it fail - ${error.message}`)
      })
    /** A queue or log that cannot be opened is a failure until one is opened. The first failure and the recovery are logged. */
    const noted = <A, R>(open: Effect.Effect<A, StorageError, R>): Effect.Effect<A, StorageError, R> =>
      open.pipe(Effect.tapError(noteOpening), Effect.tap(() => noteOpening(undefined)))
    const openLog = (topic: string, durability: LogDurability) =>
      noted(Effect.gen(function*() {
        yield* makeLogs
        const directory = Path.join(logsDirectory, logDirectoryName(topic))
        const names = yield* everLogged
        names.add(topic)
        const log = yield* untilDescriptor(
          TopicLog.open({ topic, directory, durability, segmentBytes: segmentSize }, logHost)
        )
        openLogs.add(log)
        yield* Effect.addFinalizer(() => Effect.sync(() => openLogs.delete(log)))
        if (durability === "synced") return log
        written.add(log)
        yield* Effect.addFinalizer(() => Effect.sync(() => written.delete(log)))
        return log
      }))
    const open = (name: string) =>
      Effect.flatMap(
        catalogue,
        ({ disk, inventoryOf }) =>
          noted(untilDescriptor(DiskQueue.open(name, disk, queueOptions, inventoryOf(name), host)))
      )

    return Storage.of({
      openQueue: open,
      openLog,
      hasLogs: true,
      hasLog,
      hasQueue: (name) => Effect.map(catalogue, ({ inventoryOf }) => inventoryOf(name) !== noFiles),
      loadDurabilities: durabilities.load,
      saveDurabilities: durabilities.save,
      loadPolicies: policies.load,
      savePolicies: policies.save,
      loadMetadata: Effect.gen(function*() {
        yield* catalogue
        const saved = yield* metadataFile.load
        const logged = (yield* loggedTopics).map((name) => ({ name, paused: false, channels: null }))
        if (logged.length === 0) return saved
        return { version: saved?.version ?? version, topics: [...saved?.topics ?? [], ...logged] }
      }),
      saveMetadata: (current) => Effect.andThen(catalogue, metadataFile.save(current)),
      recordCreation: (queue, register) => metadataFile.create(queue, register),
      refusal: () => reserve.refusal,
      prepareStop: Effect.suspend(() => {
        if (reserve.refusal === undefined) return reserve.beginStop
        return Effect.andThen(
          reserve.beginStop,
          Effect.suspend(() => saveStates(takeChanged(), (queue) => queue.tidy))
        )
      }),
      health: Effect.sync(() =>
        health.summary ?? reserve.refusal ?? (openLogs.size > 0 ? freeSpace.refusal : undefined)
      )
    })
  })
)
