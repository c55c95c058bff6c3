/**
 * A queue of messages in files, in NSQ's own format: a data directory moves from NSQ to here and back. Appends of many
 * publishers go out in one write; reads fetch many records at a time.
 *
 * Unlike in NSQ, what the metadata file calls the read position is where the first message lies that has not been settled:
 * messages that were handed out and not finished when the daemon was killed are read again. Files are deleted once nothing in
 * them is needed, after the metadata that says so is written.
 *
 * One fiber writes, syncs and removes files; reading goes on beside it, up to what has been written successfully: a write
 * that fails is taken back, and nobody may have read it.
 */
import { Effect, Latch, type Scope, Semaphore } from "effect"
import * as Path from "node:path"
import {
  dataFileName,
  encodeQueueMetadata,
  metadataFileName,
  type QueuePosition,
  walkRecords
} from "../../protocol/DiskQueueFormat.ts"
import { Disk, type DiskError, type DiskFile } from "./Disk.ts"
import * as QueueFiles from "./QueueFiles.ts"
import type { QueueInventory } from "./QueueInventory.ts"
import { type RecoveredQueue, recoverQueue } from "./QueueRecovery.ts"
import { type BackendQueue, type RecordRun, StorageError, type StoredRun } from "./Storage.ts"

export interface DiskQueueOptions {
  readonly dataPath: string
  readonly maxBytesPerFile: number
  /** Messages written and read between two syncs. */
  readonly syncEvery: number
  readonly maxMsgSize: number
}

/** A disk queue as its owner sees it. */
export interface DiskQueue extends BackendQueue {
  /** Syncs if anything happened since the last sync; called on a timer. */
  readonly syncIfDirty: () => void
}

/** A run that was read: `settled` of its messages have been dealt with. */
interface Outstanding {
  readonly file: number
  /** Where in the file the bytes of the run start. */
  readonly origin: number
  /** How many messages belong to the run: fewer once part of it has been given back. */
  owned: number
  settled: number
}

/** The file that is being read. */
interface OpenReader {
  readonly number: number
  readonly file: DiskFile
  /** Once the file is finished, how much of it is valid. */
  size: number | undefined
}

interface Append {
  readonly runs: ReadonlyArray<RecordRun>
  readonly resume: (effect: Effect.Effect<void, StorageError>) => void
}

/** Bytes of appends that go out in one write. */
const groupBytes = 8 * 1024 * 1024

/** A read shows at least how large the next record is. */
const minReadBytes = 4

const storageError = (error: DiskError): StorageError => new StorageError({ description: error.message })

/** Where a queue reports its last failure, and `undefined` once it works again. */
export interface QueueHealth {
  readonly note: (queue: string, error: DiskError | undefined) => void
}

/** Opens the queue `name` from the files in the inventory. Closing the Scope syncs it and writes its metadata. */
export const open = (
  name: string,
  options: DiskQueueOptions,
  inventory: QueueInventory,
  health: QueueHealth
): Effect.Effect<DiskQueue, StorageError, Disk | Scope.Scope> =>
  Effect.gen(function*() {
    const disk = yield* Disk
    const label = `DISKQUEUE(${name})`
    const pathOf = (file: number) => Path.join(options.dataPath, dataFileName(name, file))
    const metadataPath = Path.join(options.dataPath, metadataFileName(name))
    const recovered: RecoveredQueue = yield* Effect.mapError(recoverQueue(disk, name, options, inventory), storageError)
    const files = QueueFiles.make(disk, pathOf, options.maxBytesPerFile, recovered.write)

    /** Messages between `cursor` and `tail`. */
    let depth = recovered.depth
    let cursor: QueuePosition = recovered.read
    /** Where what has been written successfully ends. */
    let tail: QueuePosition = recovered.write
    /** What was read and is not settled, oldest first. */
    let outstanding = new Map<StoredRun, Outstanding>()
    /** Files before this one have been removed. */
    let firstFile = recovered.firstFile
    let reader: OpenReader | undefined
    let appends: Array<Append> = []
    let operations = 0
    let syncWanted = false
    let closed = false
    let dirty = recovered.changed
    const work = yield* Latch.make(false)
    /** Reading may need to write, never the other way round: the permits are always taken in this order. */
    const reading = yield* Semaphore.make(1)
    const writing = yield* Semaphore.make(1)
    const alone = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      reading.withPermit(writing.withPermit(Effect.uninterruptible(effect)))

    const settledPosition = (): QueuePosition => {
      for (const first of outstanding.values()) return { file: first.file, offset: first.origin }
      return cursor
    }
    const unsettled = (): number => {
      let sum = 0
      for (const run of outstanding.values()) sum += run.owned
      return sum
    }

    const wantSync = (): void => {
      syncWanted = true
      work.openUnsafe()
    }

    const countOperations = (count: number): void => {
      dirty = true
      operations += count
      if (operations >= options.syncEvery) wantSync()
    }

    // ---- writing

    const sync = Effect.gen(function*() {
      syncWanted = false
      operations = 0
      dirty = false
      yield* files.sync
      // What is being written counts once it is in `tail`, and is found by recovery when that never happens.
      const metadata = { depth: depth + unsettled(), read: settledPosition(), write: tail }
      yield* disk.writeText(metadataPath, encodeQueueMetadata(metadata))
      for (; firstFile < metadata.read.file; firstFile++) yield* Effect.ignore(disk.remove(pathOf(firstFile)))
    }).pipe(Effect.tapError(() => Effect.sync(() => void (dirty = true))))

    const takeGroup = (): Array<Append> => {
      let size = 0
      let count = 0
      while (count < appends.length && size < groupBytes) {
        for (const run of appends[count]!.runs) size += run.end - run.start
        count++
      }
      const group = appends.slice(0, count)
      appends = appends.slice(count)
      return group
    }

    /** Writes a group and, where the options ask for it, syncs it; it counts from then on. */
    const commit = Effect.fnUntraced(function*(runs: ReadonlyArray<RecordRun>) {
      const count = runs.reduce((sum, run) => sum + run.count, 0)
      const rolled = yield* files.write(runs)
      const due = rolled || syncWanted || operations + count >= options.syncEvery
      if (due) yield* files.sync
      dirty = true
      operations += count
      depth += count
      tail = files.end()
      if (due) syncWanted = true
    })

    const writeGroup = (group: ReadonlyArray<Append>): Effect.Effect<void> => {
      const before = files.end()
      return commit(group.flatMap((append) => append.runs)).pipe(
        Effect.matchEffect({
          onSuccess: () =>
            Effect.sync(() => {
              health.note(name, undefined)
              for (const append of group) append.resume(Effect.void)
            }),
          onFailure: (error) =>
            Effect.gen(function*() {
              health.note(name, error)
              yield* Effect.logError(`${label}: failed to write - ${error.message}`)
              yield* files.takeBack(before, error)
              tail = files.end()
              for (const append of group) append.resume(Effect.fail(storageError(error)))
            })
        })
      )
    }

    const trySync = Effect.matchEffect(sync, {
      onSuccess: () => Effect.sync(() => health.note(name, undefined)),
      onFailure: (error) => {
        health.note(name, error)
        return Effect.logError(`${label} failed to sync - ${error.message}`)
      }
    })

    const writeAll = Effect.gen(function*() {
      if (syncWanted) yield* trySync
      while (appends.length > 0) {
        yield* writeGroup(takeGroup())
        if (syncWanted) yield* trySync
      }
    })

    const run = Effect.gen(function*() {
      while (true) {
        yield* work.await
        yield* work.close
        yield* writing.withPermit(Effect.uninterruptible(writeAll))
      }
    })

    // ---- reading

    const closeReader = Effect.suspend(() => {
      const open = reader
      reader = undefined
      return open === undefined ? Effect.void : open.file.close
    })

    const readerFor = (number: number) =>
      Effect.suspend(() => {
        if (reader !== undefined && reader.number === number) return Effect.succeed(reader)
        return Effect.gen(function*() {
          yield* closeReader
          const file = yield* disk.open(pathOf(number))
          reader = { number, file, size: undefined }
          return reader
        })
      })

    /** A file that is being written is read up to what has been written; a finished one to its real end. */
    const endOf = Effect.fnUntraced(function*(opened: OpenReader) {
      if (opened.number === tail.file) return tail.offset
      opened.size ??= files.sealedAt(opened.number) ?? (yield* opened.file.size)
      return opened.size
    })

    /** The rest of a file cannot be read: it is set aside and reading goes on with the next file. */
    const setAside = Effect.fnUntraced(function*(problem: string) {
      const path = pathOf(cursor.file)
      yield* Effect.logError(`${label} reading at ${cursor.offset} of ${path} - ${problem}`)
      yield* Effect.logWarning(`${label} jump to next file and saving bad file as ${path}.bad`)
      yield* closeReader
      yield* Effect.ignore(disk.rename(path, `${path}.bad`))
      yield* writing.withPermit(Effect.suspend(() => {
        if (cursor.file !== tail.file) return Effect.void
        tail = { file: tail.file + 1, offset: 0 }
        return files.moveTo(tail)
      }))
      cursor = { file: cursor.file + 1, offset: 0 }
      wantSync()
    })

    const atEnd = (): boolean => cursor.file === tail.file && cursor.offset >= tail.offset

    const readOnce = Effect.fnUntraced(function*(maxBytes: number) {
      const opened = yield* readerFor(cursor.file)
      const end = yield* endOf(opened)
      if (cursor.offset >= end) {
        if (cursor.file === tail.file) return undefined
        cursor = { file: cursor.file + 1, offset: 0 }
        wantSync()
        return undefined
      }
      const from = cursor
      let length = Math.min(Math.max(maxBytes, minReadBytes), end - from.offset)
      let bytes: Buffer = Buffer.allocUnsafeSlow(length)
      let got = yield* opened.file.read(bytes, from.offset)
      let walk = walkRecords(bytes, 0, got, options.maxMsgSize)
      if (walk.count === 0 && walk.next !== undefined && 4 + walk.next > got && from.offset + 4 + walk.next <= end) {
        length = 4 + walk.next
        bytes = Buffer.allocUnsafeSlow(length)
        got = yield* opened.file.read(bytes, from.offset)
        walk = walkRecords(bytes, 0, got, options.maxMsgSize)
      }
      if (walk.count === 0) {
        const cut = walk.next === undefined || from.offset + 4 + walk.next > end
        yield* setAside(walk.next !== undefined && !cut ? `invalid message read size (${walk.next})` : "unexpected EOF")
        return undefined
      }
      const stored: StoredRun = { bytes, start: 0, end: walk.end, count: walk.count }
      outstanding.set(stored, { owned: walk.count, settled: 0, file: from.file, origin: from.offset })
      cursor = { file: from.file, offset: from.offset + walk.end }
      // Metadata that NSQ or a crash left behind may count too few.
      depth = Math.max(0, depth - walk.count)
      countOperations(walk.count)
      return stored
    })

    const read = (maxBytes: number): Effect.Effect<StoredRun | undefined, StorageError> =>
      Effect.gen(function*() {
        while (!atEnd()) {
          const result = yield* Effect.catch(
            readOnce(maxBytes),
            (error) => error.code === "ENOENT" ? setAside(error.text) : Effect.fail(storageError(error))
          )
          if (result !== undefined) return result
        }
        if (depth !== 0) {
          yield* Effect.logError(`${label} positive depth at tail (${depth}), data loss, resetting 0...`)
          depth = 0
          wantSync()
        }
        return undefined
      })

    const settle = (stored: StoredRun, count: number): void => {
      const run = outstanding.get(stored)
      if (run === undefined) return
      run.settled += count
      dropSettled()
    }

    const dropSettled = (): void => {
      for (const [stored, run] of outstanding) {
        if (run.settled < run.owned) break
        outstanding.delete(stored)
        dirty = true
      }
      if (settledPosition().file > firstFile) wantSync()
    }

    const unread = (stored: StoredRun, start: number, count: number): void => {
      const run = outstanding.get(stored)
      if (run === undefined || count === 0) return
      run.owned -= count
      cursor = { file: run.file, offset: run.origin + start }
      depth += count
      dropSettled()
    }

    // ---- emptying and closing

    const clear = Effect.gen(function*() {
      const last = files.end().file
      const first = Math.min(firstFile, settledPosition().file)
      outstanding = new Map()
      depth = 0
      operations = 0
      syncWanted = false
      dirty = false
      cursor = tail = { file: last + 1, offset: 0 }
      firstFile = last + 1
      yield* files.moveTo(tail)
      yield* closeReader
      for (let file = first; file <= last; file++) yield* disk.remove(pathOf(file))
      yield* disk.remove(metadataPath)
    })

    // ---- life

    const append = (runs: ReadonlyArray<RecordRun>): Effect.Effect<void, StorageError> =>
      Effect.callback((resume) => {
        if (closed) return resume(Effect.fail(new StorageError({ description: "exiting" })))
        appends.push({ runs, resume })
        work.openUnsafe()
      })

    yield* Effect.addFinalizer(() =>
      Effect.gen(function*() {
        yield* writing.withPermit(writeAll)
        if (!closed) {
          closed = true
          yield* Effect.catch(sync, (error) => Effect.logError(`${label} failed to sync - ${error.message}`))
        }
        yield* Effect.andThen(files.close, closeReader)
      })
    )
    yield* Effect.forkScoped(run)

    const failing = <A>(effect: Effect.Effect<A, DiskError>) => Effect.mapError(effect, storageError)
    return {
      name,
      get depth() {
        return depth
      },
      append,
      read: (maxBytes) => reading.withPermit(Effect.uninterruptible(read(maxBytes))),
      settle,
      unread,
      empty: alone(failing(Effect.andThen(Effect.logInfo(`${label}: emptying`), clear))),
      delete: alone(failing(Effect.gen(function*() {
        yield* Effect.logInfo(`${label}: deleting`)
        closed = true
        yield* clear
      }))),
      syncIfDirty: () => {
        if (dirty) wantSync()
      }
    }
  })
