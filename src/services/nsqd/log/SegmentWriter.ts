/**
 * Writes commits to the newest segment of a log. After a failed write or sync a segment is never written again, because
 * the operating system may report success for what it has lost: the next commit starts a new segment.
 *
 * With `synced`, segments are filled with zeros ahead of the commits. A durable write of an existing block writes no metadata,
 * and takes a fraction of the time of one that makes the file longer. The file of the next segment is ready before it is needed
 * (`SpareSegment`).
 */
import { Effect, Latch, Semaphore } from "effect"
import * as Path from "node:path"
import { segmentFileName } from "../../../protocol/storage/LogFiles.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import { Segment, type Segments } from "./Segment.ts"
import { SpareSegment } from "./SpareSegment.ts"
import { hasSpace, zeros } from "./zeros.ts"

/** Bytes of zeros in a new segment, at least: a topic that is hardly used takes little space. */
const firstZeros = 64 * 1024
const blockBytes = 4096
/** The largest piece of zeros that is added at once; pieces double up to it. */
const mostZeros = 8 * 1024 * 1024
/** Zeros are added when the commits come closer than this to their end, or than two pieces: a slow disk is ahead as well. */
const leastAhead = 2 * 1024 * 1024
/** A piece of zeros has space for this many commits. */
const commitsAhead = 8
/** After this time without a commit the file of the next segment is removed, so that an idle topic takes little space. */
const idleTime = "1 minute"

export interface SegmentWriterOptions {
  readonly directory: string
  /** A segment is closed when it would become larger, in bytes. */
  readonly segmentBytes: number
  /** Whether a commit is durable when it is written. */
  readonly isSynced: boolean
  /** Runs work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
}

/** The newest segment while it can be written. */
interface Current {
  readonly segment: Segment
  readonly file: DiskFile
  position: number
  /** The file has blocks up to here. */
  allocated: number
  /** Closed while zeros are written from `allocated` on. */
  readonly hasZeros: Latch.Latch
  /** Writes and syncs in progress. The last of them closes the file after the segment was left. */
  users: number
  isLeft: boolean
}

const isMissing = ({ code }: DiskError): boolean => code === "ENOENT"

/** Where a record of a commit starts. */
export interface Placed {
  readonly first: number
  /** When its first and last messages were accepted, in ms since the Unix epoch. */
  readonly acceptedAt: number
  readonly lastAcceptedAt: number
  readonly bytes: Buffer
}

export class SegmentWriter {
  private readonly disk: Disk["Service"]
  private readonly segments: Segments
  private readonly options: SegmentWriterOptions
  private current: Current | undefined
  private readonly spare: SpareSegment
  private commits = 0
  private isIdlenessWatched = false
  private readonly isEnding = Latch.makeUnsafe(false)
  /** The latches of the segments that this process has written. */
  private readonly filling = new WeakMap<Segment, Latch.Latch>()
  private unsynced = false
  /** A segment is not closed while it is synced: what follows in the next one may rely on it. */
  private readonly syncing = Semaphore.makeUnsafe(1)
  /** Closed while a segment is started ahead of the commits. */
  private readonly isPrepared = Latch.makeUnsafe(true)

  constructor(disk: Disk["Service"], segments: Segments, options: SegmentWriterOptions) {
    this.disk = disk
    this.segments = segments
    this.options = options
    this.spare = new SpareSegment(disk, options.directory)
  }

  /** Whether something was written since the last sync. */
  get isUnsynced(): boolean {
    return this.unsynced
  }

  /** Goes on with a segment of an earlier process, whose records end at `size`. Later bytes are removed. */
  resume(segment: Segment, size: number): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const file = yield* this.openFile(segment.path)
      yield* Effect.onError(Effect.andThen(file.truncate(size), file.sync), () => file.close)
      this.use(segment, file, size, size)
    })
  }

  private use(segment: Segment, file: DiskFile, position: number, allocated: number): Current {
    segment.size = position
    segment.allocated = allocated
    const hasZeros = Latch.makeUnsafe(true)
    this.filling.set(segment, hasZeros)
    return this.current = {
      segment,
      file,
      position,
      allocated,
      hasZeros,
      users: 0,
      isLeft: false
    }
  }

  private allocate(current: Current, allocated: number): void {
    current.allocated = allocated
    current.segment.allocated = allocated
  }

  private openFile(path: string): Effect.Effect<DiskFile, DiskError> {
    return this.options.isSynced ? this.disk.openDurable(path) : this.disk.openExisting(path)
  }

  /** Whether a segment is being started ahead of the commits. */
  get isPreparing(): boolean {
    return !this.isPrepared.isOpen()
  }

  /** Starts a segment for the sequence `first`, if none can be written. To be called while no commit is written. */
  prepare(first: number): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      if (this.current !== undefined) return Effect.void
      this.isPrepared.closeUnsafe()
      return Effect.asVoid(Effect.ensuring(this.start(first, 0), Effect.sync(() => this.isPrepared.openUnsafe())))
    })
  }

  /** Writes records, which follow each other and end before the sequence `end`, as `--durability` requires. */
  commit(records: ReadonlyArray<Placed>, end: number): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const first = records[0]
      if (first === undefined) return
      const size = records.reduce((sum, { bytes }) => sum + bytes.length, 0)
      if (this.isPreparing) yield* this.isPrepared.await
      const current = yield* this.currentFor(first.first, size)
      if (current.position + size > current.allocated) yield* current.hasZeros.await
      yield* Effect.onError(
        this.during(current, current.file.write(records.map(({ bytes }) => bytes), current.position)),
        () => this.fail
      )
      let position = current.position
      let newest = current.segment.newest ?? 0
      for (const record of records) {
        current.segment.note(record.first, position)
        position += record.bytes.length
        newest = Math.max(newest, record.lastAcceptedAt)
      }
      current.position = position
      current.segment.size = position
      current.segment.end = end
      current.segment.oldest ??= first.acceptedAt
      current.segment.newest = newest
      this.allocate(current, Math.max(current.allocated, position))
      this.commits++
      this.unsynced = !this.options.isSynced
      if (this.options.isSynced) this.addZeros(current, size)
    })
  }

  private currentFor(first: number, size: number): Effect.Effect<Current, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { current } = this
      if (current !== undefined && (current.position === 0 || current.position + size <= this.options.segmentBytes)) {
        return current
      }
      yield* this.closeCurrent
      return yield* this.start(first, size)
    })
  }

  /** A closed segment is synced first: recovery looks for an incomplete end in the last segment only. */
  private get closeCurrent(): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { current } = this
      if (current === undefined) return
      yield* current.hasZeros.await
      yield* this.sync
      yield* this.leaveFile(current)
    })
  }

  /** Lets the next commit start a new segment at once, and returns the Effect that closes this one. */
  leave(): Effect.Effect<void> {
    const { current } = this
    if (current === undefined) return Effect.void
    this.unsynced = false
    return this.leaveFile(current)
  }

  /** Closes the file, once nothing uses it: the operating system may reuse its descriptor at once. */
  private leaveFile(current: Current): Effect.Effect<void> {
    if (this.current === current) this.current = undefined
    if (current.isLeft) return Effect.void
    current.isLeft = true
    return Effect.suspend(() => current.users === 0 ? current.file.close : Effect.void)
  }

  private during<A>(current: Current, work: Effect.Effect<A, DiskError>): Effect.Effect<A, DiskError> {
    return Effect.suspend(() => {
      current.users++
      return Effect.ensuring(
        work,
        Effect.suspend(() => --current.users === 0 && current.isLeft ? current.file.close : Effect.void)
      )
    })
  }

  /** `size` is that of the first commit, in bytes. */
  private start(first: number, size: number): Effect.Effect<Current, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { directory } = this.options
      const path = Path.join(directory, segmentFileName(first))
      const spare = yield* this.spare.take(path)
      const allocated = spare > 0 ? spare : yield* this.create(path, size)
      const file = yield* this.disk.syncDirectory(directory).pipe(
        Effect.andThen(this.openFile(path)),
        Effect.onError(() => Effect.ignore(this.disk.remove(path)))
      )
      const segment = new Segment(first, path)
      const { last } = this.segments
      // An empty one, with the same file.
      if (last?.first === first) this.segments.remove(new Set([last]))
      this.segments.add(segment)
      return this.use(segment, file, 0, allocated)
    })
  }

  /** Creates the file of a segment. Returns its size in bytes. */
  private create(path: string, size: number): Effect.Effect<number, DiskError> {
    const { isSynced, segmentBytes } = this.options
    // At least one block, which shows whether the disk can be written.
    const allocated = isSynced ? Math.max(firstZeros, Math.min(segmentBytes, size * commitsAhead)) : blockBytes
    return Effect.flatMap(
      this.createFile(path),
      (file) =>
        Effect.as(Effect.andThen(file.write(zeros(allocated), 0), file.sync), allocated).pipe(
          Effect.ensuring(file.close),
          Effect.onError(() => Effect.ignore(this.disk.remove(path)))
        )
    )
  }

  /** Creates a file, and the directory of the log if it was removed. */
  private createFile(path: string): Effect.Effect<DiskFile, DiskError> {
    const { directory } = this.options
    const parent = Path.dirname(directory)
    return Effect.catchIf(this.disk.create(path), isMissing, () =>
      this.disk.makeDirectory(directory).pipe(
        Effect.andThen(this.disk.syncDirectory(parent)),
        Effect.andThen(this.disk.create(path))
      ))
  }

  /**
   * Whether the segment still has its name. If it was removed, what is written to it would be lost, so that the next commit starts
   * a new one.
   */
  get verify(): Effect.Effect<boolean, DiskError> {
    return Effect.suspend(() => {
      const { current } = this
      if (current === undefined) return Effect.succeed(true)
      return this.disk.open(current.segment.path).pipe(
        Effect.flatMap((file) => Effect.as(file.close, true)),
        Effect.catchIf(isMissing, () => Effect.as(Effect.andThen(current.hasZeros.await, this.abandon), false))
      )
    })
  }

  /** Gives up the segment after a failure. Its file is not written again. */
  private get fail(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.current !== undefined) this.current.segment.hasFailed = true
      return this.abandon
    })
  }

  /**
   * Closes the segment and lets the next commit start a new one. Its records up to here stay; those that are not durable yet
   * become so if the disk still can: a later sync covers later segments only.
   */
  get abandon(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { current } = this
      if (current === undefined) return Effect.void
      const isUnsynced = this.unsynced
      this.unsynced = false
      const last = isUnsynced ? this.during(current, current.file.sync) : Effect.void
      return Effect.andThen(Effect.ignore(last), Effect.suspend(() => this.leaveFile(current)))
    })
  }

  /** Adds zeros to the segment after a commit of `size` bytes, or to the file of the next one. */
  private addZeros(current: Current, size: number): void {
    const { fork, segmentBytes } = this.options
    const from = current.allocated
    const piece = Math.min(mostZeros, Math.max(firstZeros, from, size * commitsAhead))
    const ahead = from - current.position
    const wanted = Math.max(leastAhead, from < mostZeros ? 0 : 2 * mostZeros)
    if (ahead >= wanted) return
    if (from < segmentBytes) {
      if (current.hasZeros.isOpen()) fork(this.extend(current, Math.min(piece, segmentBytes - from)))
    } else if (ahead + this.spare.bytes < Math.min(wanted, segmentBytes)) {
      fork(Effect.andThen(this.spare.extend(Math.min(piece, segmentBytes)), Effect.sync(() => this.watchIdleness())))
    }
  }

  private extend(current: Current, size: number): Effect.Effect<void> {
    current.hasZeros.closeUnsafe()
    const from = current.allocated
    const write = Effect.gen({ self: this }, function*() {
      if (!(yield* hasSpace(this.disk, this.options.directory, size))) return
      const file = yield* this.disk.openExisting(current.segment.path)
      yield* Effect.ensuring(Effect.andThen(file.write(zeros(size), from), file.sync), file.close)
      this.allocate(current, from + size)
    })
    // Without zeros the commits are slower, but as durable; if the disk is full, the commit finds out.
    return Effect.ensuring(Effect.ignore(write), Effect.sync(() => current.hasZeros.openUnsafe()))
  }

  /** Removes the file of a segment, whose messages are all finished, or keeps it for the next segment. */
  reclaim(segment: Segment): Effect.Effect<void, DiskError> {
    if (!this.options.isSynced || segment.hasFailed) return this.disk.remove(segment.path)
    // Zeros that are still being written would overwrite the records of the next segment.
    const isFilled = this.filling.get(segment)?.await ?? Effect.void
    return Effect.andThen(isFilled, this.recycle(segment))
  }

  private recycle(segment: Segment): Effect.Effect<void, DiskError> {
    return Effect.andThen(this.spare.reclaim(segment), Effect.sync(() => this.watchIdleness()))
  }

  /** No further commits come: nothing waits for their absence. */
  end(): void {
    this.isEnding.openUnsafe()
  }

  private watchIdleness(): void {
    if (this.isIdlenessWatched || this.spare.bytes === 0) return
    this.isIdlenessWatched = true
    this.options.fork(Effect.gen({ self: this }, function*() {
      for (let commits = -1; commits !== this.commits && this.spare.bytes > 0 && !this.isEnding.isOpen();) {
        commits = this.commits
        yield* Effect.timeoutOption(this.isEnding.await, idleTime)
      }
      this.isIdlenessWatched = false
      yield* this.spare.drop
    }))
  }

  /** Completes when all commits are durable. After a failure the segment is not written again. */
  get sync(): Effect.Effect<void, DiskError> {
    return this.syncing.withPermit(Effect.suspend(() => {
      const { current } = this
      if (current === undefined || !this.unsynced) return Effect.void
      this.unsynced = false
      return Effect.onError(this.during(current, current.file.sync), () => {
        current.segment.hasFailed = true
        return this.leaveFile(current)
      })
    }))
  }

  /** Closes the segment without its free space. */
  get close(): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.spare.close
      const { current } = this
      if (current === undefined) return
      yield* current.hasZeros.await
      const trim = current.allocated > current.position ? current.file.truncate(current.position) : Effect.void
      yield* Effect.ensuring(Effect.andThen(this.sync, trim), Effect.suspend(() => this.leaveFile(current)))
    })
  }
}
