/**
 * The data files of a disk queue for its writer: appends records at the end of the queue, rolls files as they fill,
 * and takes back failed writes. For one fiber at a time. Independent of reading and state.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { type QueuePosition, walkRecords } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { RecordRun } from "./BackendQueue.ts"
import type { ChecksumWriter } from "./ChecksumWriter.ts"

/** A block of most file systems. */
const probeBytes = Buffer.alloc(4096)

export class QueueFiles {
  private readonly disk: Disk["Service"]
  private readonly pathOf: (file: number) => string
  private readonly sums: ChecksumWriter
  private readonly maxBytesPerFile: number
  /** Numbers of the existing data files, ascending; shared with the queue. */
  private readonly numbers: Array<number>
  /** Files with bytes after their valid part that could not be cut off, and the end of that part. */
  private readonly sealed: Map<number, number>
  /** Position of the next record. */
  private next: QueuePosition
  private open: { readonly number: number; readonly file: DiskFile } | undefined
  private unsynced = false
  /** Whether the open file's directory entry may not be durable yet. */
  private isNew = false

  constructor(
    disk: Disk["Service"],
    pathOf: (file: number) => string,
    sums: ChecksumWriter,
    maxBytesPerFile: number,
    numbers: Array<number>,
    sealed: Map<number, number>,
    end: QueuePosition
  ) {
    this.disk = disk
    this.pathOf = pathOf
    this.sums = sums
    this.maxBytesPerFile = maxBytesPerFile
    this.numbers = numbers
    this.sealed = sealed
    this.next = end
  }

  get end(): QueuePosition {
    return this.next
  }

  /** Moves the end to a file without bytes after that position. */
  moveTo(position: QueuePosition): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.next = position
      return this.close()
    })
  }

  /** Writes records; returns true if a file was filled and synced. */
  write(runs: ReadonlyArray<RecordRun>): Effect.Effect<boolean, DiskError> {
    return Effect.gen({ self: this }, function*() {
      let parts: Array<RecordRun> = []
      let size = 0
      let rolled = false
      for (let run of runs) {
        while (run.count > 0) {
          const part = this.fitting(run, this.next.offset + size)
          if (part.count > 0) {
            parts.push({ bytes: run.bytes, start: run.start, ...part })
            size += part.end - run.start
          }
          run = { bytes: run.bytes, start: part.end, end: run.end, count: run.count - part.count }
          if (run.count === 0) continue
          if (size > 0) yield* this.put(parts, size)
          parts = []
          size = 0
          yield* this.sync()
          this.next = { file: this.next.file + 1, offset: 0 }
          rolled = true
        }
      }
      if (size > 0) yield* this.put(parts, size)
      return rolled
    })
  }

  private put(parts: ReadonlyArray<RecordRun>, size: number): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const at = this.next
      const buffers = parts.map(({ bytes, end, start }) =>
        start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)
      )
      this.unsynced = true
      return Effect.tap(
        Effect.flatMap(this.fileFor(at.file), (file) => file.write(buffers, at.offset)),
        () =>
          Effect.sync(() => {
            this.next = { file: at.file, offset: at.offset + size }
            this.sums.add(at.file, at.offset, parts)
          })
      )
    })
  }

  private fileFor(number: number): Effect.Effect<DiskFile, DiskError> {
    if (this.open !== undefined && this.open.number === number) return Effect.succeed(this.open.file)
    return Effect.andThen(
      this.close(),
      Effect.tap(this.disk.create(this.pathOf(number)), (file) =>
        Effect.sync(() => {
          this.open = { number, file }
          if (this.numbers.at(-1) === number) return
          this.numbers.push(number)
          this.isNew = true
        }))
    )
  }

  /** The part of a run that fits into a file of `offset` bytes. A record larger than a file gets its own file. */
  private fitting(run: RecordRun, offset: number): { readonly end: number; readonly count: number } {
    const room = this.maxBytesPerFile - offset
    if (run.end - run.start <= room) return { end: run.end, count: run.count }
    const bytes = bufferOf(run.bytes)
    const { count, end } = walkRecords(bytes, run.start, run.end, Infinity, run.start + room)
    if (count > 0 || offset > 0) return { end, count }
    return { end: run.start + 4 + bytes.readInt32BE(run.start), count: 1 }
  }

  sync(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { open } = this
      if (open === undefined || !this.unsynced) return Effect.void
      return Effect.andThen(
        this.isNew ? Effect.andThen(open.file.sync, this.syncDirectory(open.number)) : open.file.sync,
        Effect.sync(() => void (this.unsynced = false))
      )
    })
  }

  private syncDirectory(number: number): Effect.Effect<void, DiskError> {
    return Effect.andThen(
      this.disk.syncDirectory(Path.dirname(this.pathOf(number))),
      Effect.sync(() => void (this.isNew = false))
    )
  }

  /** Checks whether the disk accepts writes again after a failure. Works on an empty next file only. */
  probe(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { file, offset } = this.next
      if (offset > 0) return Effect.void
      const write = Effect.acquireUseRelease(
        this.disk.create(this.pathOf(file)),
        (opened) => opened.write([probeBytes], 0),
        (opened) => opened.close
      )
      return Effect.andThen(this.close(), Effect.ensuring(write, this.discard(file)))
    })
  }

  /**
   * Takes back everything written after `before`. The file of `before` gets no more records: its content on disk is
   * uncertain, and on a full disk it can be deleted once it has been read.
   */
  takeBack(before: QueuePosition): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const last = this.next.file
      yield* this.close()
      this.sums.takeBack(before.file, before.offset)
      this.next = before.offset === 0 ? before : { file: before.file + 1, offset: 0 }
      for (let file = before.file + 1; file <= last; file++) yield* this.discard(file)
      if (before.offset === 0) return yield* this.discard(before.file)
      // If that fails, reading stops there.
      yield* Effect.ignore(this.cut(before))
    })
  }

  /** Cuts off the bytes after a position. On failure they stay, and reading stops there. */
  cut({ file, offset }: QueuePosition): Effect.Effect<void, DiskError> {
    return Effect.acquireUseRelease(
      this.disk.create(this.pathOf(file)),
      (opened) => opened.truncate(offset),
      (opened) => opened.close
    ).pipe(Effect.tapError(() => Effect.sync(() => void this.sealed.set(file, offset))))
  }

  /** Removes a file without valid records. If that fails, the file counts as empty. */
  private discard(file: number): Effect.Effect<void> {
    return Effect.matchEffect(this.disk.remove(this.pathOf(file)), {
      onSuccess: () =>
        Effect.sync(() => {
          const at = this.numbers.indexOf(file)
          if (at >= 0) this.numbers.splice(at, 1)
        }),
      onFailure: () =>
        Effect.sync(() => {
          this.sealed.set(file, 0)
          // Its remaining bytes must not follow new records.
          if (this.next.file <= file) this.next = { file: file + 1, offset: 0 }
        })
    })
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { open } = this
      this.open = undefined
      return open === undefined ? Effect.void : open.file.close
    })
  }
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
