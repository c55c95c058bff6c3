/**
 * A queue of messages in files, in NSQ's own format: a data directory moves from NSQ to here and back. Appends of many
 * publishers go out in one write; reads fetch many records at a time.
 *
 * Unlike in NSQ, what the metadata file calls the read position is where the first message lies that has not been settled:
 * messages that were handed out and not finished when the daemon was killed are read again. Files are deleted once nothing in
 * them is needed, after the metadata that says so is written.
 *
 * One fiber writes, syncs and removes files; reading goes on beside it.
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
interface Outstanding extends StoredRun {
  readonly generation: number
  readonly file: number
  /** Where in the file the bytes of the run start. */
  readonly origin: number
  /** How many messages belong to the run: fewer once part of it has been given back. */
  owned: number
  settled: number
}

interface Append {
  readonly runs: ReadonlyArray<RecordRun>
  readonly resume: (effect: Effect.Effect<void, StorageError>) => void
}

/** Bytes of appends that go out in one write. */
const groupBytes = 8 * 1024 * 1024

const storageError = (error: DiskError): StorageError => new StorageError({ description: error.message })

/** Opens the queue with what its files hold. Closing the Scope syncs it and writes its metadata. */
export const open = (
  name: string,
  options: DiskQueueOptions,
  health: { note: (error: DiskError | undefined) => void }
): Effect.Effect<DiskQueue, StorageError, Disk | Scope.Scope> =>
  Effect.gen(function*() {
    const disk = yield* Disk
    const label = `DISKQUEUE(${name})`
    const pathOf = (file: number) => Path.join(options.dataPath, dataFileName(name, file))
    const metadataPath = Path.join(options.dataPath, metadataFileName(name))
    const recovered: RecoveredQueue = yield* Effect.mapError(recoverQueue(disk, name, options), storageError)

    let depth = recovered.depth
    let cursor: QueuePosition = recovered.read
    let write: QueuePosition = recovered.write
    let generation = 0
    let outstanding: Array<Outstanding> = []
    /** Files before this one have been removed. */
    let firstFile = recovered.read.file
    let reader: { readonly number: number; readonly file: DiskFile; readonly size: number } | undefined
    let writer: { readonly number: number; readonly file: DiskFile } | undefined
    let appends: Array<Append> = []
    let operations = 0
    let syncWanted = false
    let closed = false
    let groupRunning = false
    let dirty = recovered.changed
    const work = yield* Latch.make(false)
    /** Reading may need to write, never the other way round: the permits are always taken in this order. */
    const reading = yield* Semaphore.make(1)
    const writing = yield* Semaphore.make(1)
    const alone = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      reading.withPermit(writing.withPermit(Effect.uninterruptible(effect)))
    /** Files whose tail could not be cut off after a failed write, and where their valid part ends. */
    const sealed = new Map<number, number>()

    const settledPosition = (): QueuePosition => {
      const first = outstanding[0]
      return first === undefined ? cursor : { file: first.file, offset: first.origin }
    }
    const unsettled = (): number => outstanding.reduce((sum, run) => sum + run.owned, 0)

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

    const closeWriter = Effect.suspend(() => {
      const open = writer
      writer = undefined
      return open === undefined ? Effect.void : open.file.close
    })

    const writerFor = (number: number) =>
      Effect.suspend(() => {
        if (writer !== undefined && writer.number === number) return Effect.succeed(writer.file)
        return Effect.andThen(
          closeWriter,
          Effect.tap(disk.create(pathOf(number)), (file) =>
            Effect.sync(() => {
              writer = { number, file }
            }))
        )
      })

    const sync = Effect.gen(function*() {
      syncWanted = false
      operations = 0
      dirty = false
      if (writer !== undefined) yield* writer.file.sync
      yield* disk.writeText(
        metadataPath,
        encodeQueueMetadata({ depth: depth + unsettled(), read: settledPosition(), write })
      )
      const keepFrom = settledPosition().file
      for (; firstFile < keepFrom; firstFile++) yield* Effect.ignore(disk.remove(pathOf(firstFile)))
    })

    /** The part of a run that still fits into a file of `offset` bytes; a record larger than a file gets one of its own. */
    const fitting = (run: RecordRun, offset: number): { readonly end: number; readonly count: number } => {
      const room = options.maxBytesPerFile - offset
      if (run.end - run.start <= room) return { end: run.end, count: run.count }
      const bytes = bufferOf(run.bytes)
      const { count, end } = walkRecords(bytes, run.start, run.end, Infinity, run.start + room)
      if (count > 0 || offset > 0) return { end, count }
      return { end: run.start + 4 + bytes.readInt32BE(run.start), count: 1 }
    }

    /** Writes records where the queue ends, rolling to new files as they fill. */
    const writeRuns = Effect.fnUntraced(function*(runs: ReadonlyArray<RecordRun>) {
      let buffers: Array<Uint8Array> = []
      let size = 0
      const put = Effect.suspend(() => {
        if (size === 0) return Effect.void
        const [pending, at] = [buffers, write]
        return Effect.tap(
          Effect.flatMap(writerFor(at.file), (file) => file.write(pending, at.offset)),
          () =>
            Effect.sync(() => {
              write = { file: at.file, offset: at.offset + size }
              buffers = []
              size = 0
            })
        )
      })
      for (let run of runs) {
        while (run.count > 0) {
          const part = fitting(run, write.offset + size)
          if (part.count > 0) {
            buffers.push(
              run.start === 0 && part.end === run.bytes.length ? run.bytes : run.bytes.subarray(run.start, part.end)
            )
            size += part.end - run.start
          }
          run = { bytes: run.bytes, start: part.end, end: run.end, count: run.count - part.count }
          if (run.count === 0) continue
          yield* put
          if (writer !== undefined) yield* writer.file.sync
          write = { file: write.file + 1, offset: 0 }
          syncWanted = true
        }
      }
      yield* put
    })

    /** After a failed write nothing of it may count: what reached the files is cut off, or left behind in a file of its own. */
    const undo = Effect.fnUntraced(function*(before: QueuePosition, error: DiskError) {
      const last = write.file
      yield* closeWriter
      write = before
      for (let file = before.file + 1; file <= last; file++) yield* Effect.ignore(disk.remove(pathOf(file)))
      if (before.offset === 0) {
        yield* Effect.ignore(disk.remove(pathOf(before.file)))
        return
      }
      const cut = Effect.acquireUseRelease(disk.create(pathOf(before.file)), (file) =>
        file.truncate(before.offset), (file) =>
        file.close)
      yield* Effect.catch(cut, () =>
        Effect.sync(() => {
          sealed.set(before.file, before.offset)
          write = { file: before.file + 1, offset: 0 }
        }))
      // After a failed sync nobody knows what of the file is on the disk: nothing more is added to it.
      if (error.operation === "fsync" && write.file === before.file) {
        write = { file: before.file + 1, offset: 0 }
      }
    })
    const takeGroup = (): Array<Append> => {
      let size = 0
      let count = 0
      while (count < appends.length && size < groupBytes) {
        for (const run of appends[count]!.runs) {
          size += run.end - run.start
        }
        count++
      }
      const group = appends.slice(0, count)
      appends = appends.slice(count)
      return group
    }

    const writeGroup = (group: ReadonlyArray<Append>): Effect.Effect<void> => {
      const before = write
      const startedIn = generation
      const runs = group.flatMap((append) =>
        append.runs
      )
      const count = runs.reduce((sum, run) => sum + run.count, 0)
      return writeRuns(runs).pipe(
        Effect.andThen(Effect.suspend(() => {
          dirty = true
          operations += count
          return operations >= options.syncEvery || syncWanted ? sync : Effect.void
        })),
        Effect.matchEffect({
          onSuccess: () =>
            Effect.sync(() => {
              health.note(undefined)
              if (startedIn === generation) depth += count
              for (const append of group) append.resume(Effect.void)
            }),
          onFailure: (error) =>
            Effect.gen(function*() {
              health.note(error)
              yield* Effect.logError(`${label}: failed to write - ${error.message}`)
              yield* undo(before, error)
              for (const append of group) append.resume(Effect.fail(storageError(error)))
            })
        })
      )
    }

    const writeAll = Effect.gen(function*() {
      while (appends.length > 0) {
        groupRunning = true
        yield* writeGroup(takeGroup())
        groupRunning = false
      }
      if (syncWanted) {
        yield* Effect.catch(sync, (error) => {
          health.note(error)
          return Effect.logError(`${label} failed to sync - ${error.message}`)
        })
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
          const opened = { number, file, size: sealed.get(number) ?? (yield* file.size) }
          reader = opened
          return opened
        })
      })

    /** The rest of a file cannot be read: it is set aside and reading goes on with the next file. */
    const setAside = Effect.fnUntraced(function*(problem: string) {
      const path = pathOf(cursor.file)
      yield* Effect.logError(`${label} reading at ${cursor.offset} of ${path} - ${problem}`)
      yield* Effect.logWarning(`${label} jump to next file and saving bad file as ${path}.bad`)
      yield* closeReader
      yield* Effect.ignore(disk.rename(path, `${path}.bad`))
      yield* writing.withPermit(Effect.suspend(() => {
        if (cursor.file !== write.file) return Effect.void
        write = { file: write.file + 1, offset: 0 }
        return closeWriter
      }))
      cursor = { file: cursor.file + 1, offset: 0 }
      wantSync()
    })

    const atEnd = (): boolean => cursor.file === write.file && cursor.offset >= write.offset

    const readOnce = Effect.fnUntraced(function*(maxBytes: number) {
      const opened = yield* readerFor(cursor.file)
      // A file that is being written is read up to where writing has got; a finished one to its real end.
      const end = cursor.file === write.file ? write.offset : Math.max(opened.size, 0)
      if (cursor.offset >= end) {
        if (cursor.file === write.file) return undefined
        cursor = { file: cursor.file + 1, offset: 0 }
        wantSync()
        return undefined
      }
      const from = cursor
      let length = Math.min(maxBytes, end - from.offset)
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
      const stored: Outstanding = {
        bytes,
        start: 0,
        end: walk.end,
        count: walk.count,
        owned: walk.count,
        settled: 0,
        generation,
        file: from.file,
        origin: from.offset
      }
      outstanding.push(stored)
      cursor = { file: from.file, offset: from.offset + walk.end }
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
        // An append counts once its writer says so, which is after its bytes are there.
        if (depth !== 0 && appends.length === 0 && !groupRunning) {
          yield* Effect.logError(`${label} positive depth at tail (${depth}), data loss, resetting 0...`)
          depth = 0
          wantSync()
        }
        return undefined
      })

    const settle = (stored: StoredRun, count: number): void => {
      const run = outstanding.find((candidate) => candidate === stored)
      if (run === undefined) return
      run.settled += count
      dropSettled()
    }

    const dropSettled = (): void => {
      let settled = 0
      while (settled < outstanding.length && outstanding[settled]!.settled >= outstanding[settled]!.owned) settled++
      if (settled === 0) return
      outstanding.splice(0, settled)
      dirty = true
      if (settledPosition().file > firstFile) wantSync()
    }
    const unread = (stored: StoredRun, start: number, count: number): void => {
      const run = outstanding.find((candidate) => candidate === stored)
      if (run === undefined || count === 0) return
      run.owned -= count
      cursor = { file: run.file, offset: run.origin + start }
      depth += count
      dropSettled()
    }

    // ---- emptying and closing

    /** Runs while nobody writes: the writer is this fiber's, and reads notice the new generation. */
    const clear = Effect.gen(function*() {
      generation++
      const last = write.file
      const first = Math.min(firstFile, settledPosition().file)
      outstanding = []
      depth = 0
      operations = 0
      syncWanted = false
      cursor = write = { file: last + 1, offset: 0 }
      firstFile = last + 1
      yield* closeWriter
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
        yield* Effect.andThen(closeWriter, closeReader)
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

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
