/**
 * The files with the state of a log's channels (docs/protocol/files.md#state-of-the-channels). Changes are appended to the
 * newest file, also to that of an earlier process. When it has become long, or a write has failed, a new file begins with a
 * checkpoint of the whole state; the one before it stays until the next, in case that the checkpoint cannot be read.
 *
 * Changes never wait for a sync. The file that follows a long one is made beside it (`prepare`), and its checkpoint is written in
 * parts, between which changes are appended. Until it is complete, the file before is needed. If that lacks changes, the new file
 * becomes visible when its checkpoint is complete.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { stateFileName } from "../../../protocol/storage/LogFiles.ts"
import { encodeStateHeader, type StateBlockKind, stateHeaderSize } from "../../../protocol/storage/LogState.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { LogDurability } from "../options/Durability.ts"
import { closingLast } from "./SharedFile.ts"
import type { StateGenerations, StateTail } from "./StateLoading.ts"

/** Parts of a checkpoint are synced when they have this size, so that no sync takes long, in bytes. */
const syncBytes = 4 * 1024 * 1024

/** The file that follows the one which changes are appended to. */
export interface NextStateFile {
  readonly file: DiskFile
  /** The file before. */
  readonly before: DiskFile
}

const noChanges = Buffer.alloc(0)

/** The sizes of state files. */
export interface StateSizes {
  /** Bytes of a checkpoint that are encoded at once: other work goes on in between. */
  readonly partBytes: number
  /** A file of changes may be this much longer than two checkpoints, in bytes. */
  readonly slackBytes: number
}

/** 128 KiB and 1 MiB. */
export const usualStateSizes: StateSizes = { partBytes: 128 * 1024, slackBytes: 1024 * 1024 }

/** Where state files lie and how they are written. */
export interface StateFileOptions {
  readonly directory: string
  /** With `synced`, changes are durable when they are written. */
  readonly durability: LogDurability
  /** By default `usualStateSizes`. */
  readonly stateSizes?: StateSizes
}

export class StateFile {
  private readonly disk: Disk["Service"]
  private readonly directory: string
  private readonly isSynced: boolean
  private readonly sizes: StateSizes
  private generations: ReadonlyArray<number>
  /** The files from this generation on have everything that was recorded. */
  private base: number
  /** The highest number of a generation that was used. */
  private newest: number
  private file: DiskFile | undefined
  private size = 0
  private unsynced = false
  private isPartial = false
  /** The generation of a file that has a temporary name, because its checkpoint is incomplete. */
  private hidden: number | undefined
  /** Bytes of the checkpoint's parts since the last sync. */
  private unsyncedParts = 0
  private checkpointSize = 0
  private whole: boolean
  /** The end of the newest file of an earlier process, until it is opened. */
  private left: StateTail | undefined
  /** Changes since a sync began, which may not be durable in this file when those of the next one are. */
  private recent: Array<Buffer> | undefined

  /** `generations` are the ones that exist. */
  constructor(disk: Disk["Service"], options: StateFileOptions, { all, base, tail }: StateGenerations) {
    this.disk = disk
    this.directory = options.directory
    this.isSynced = options.durability === "synced"
    this.generations = all
    this.base = base
    this.newest = all.at(-1) ?? 0
    this.sizes = options.stateSizes ?? usualStateSizes
    this.whole = all.length > 0
    this.left = tail
  }

  /** Whether changes can be appended. */
  get isOpen(): boolean {
    return this.file !== undefined
  }

  /** Whether `resume` can open the file of an earlier process; otherwise one begins with a checkpoint. */
  get canResume(): boolean {
    return this.file === undefined && this.left !== undefined
  }

  /** Whether the next file should follow soon. */
  get isLong(): boolean {
    return this.isOpen && !this.isPartial && this.size > 2 * this.checkpointSize + this.sizes.slackBytes
  }

  /** Whether so much of a checkpoint is not durable that a sync should follow. */
  get hasManyParts(): boolean {
    return this.unsyncedParts >= syncBytes
  }

  /** Bytes of a checkpoint that are encoded at once. */
  get partBytes(): number {
    return this.sizes.partBytes
  }

  /** Whether the files have everything that was recorded, while a new checkpoint is incomplete. */
  get isWhole(): boolean {
    return this.whole
  }

  /** Whether `proceed` has to follow. */
  get isWritingCheckpoint(): boolean {
    return this.isPartial && this.file !== undefined
  }

  /** Whether something was written since the last sync that is not durable. */
  get isUnsynced(): boolean {
    return this.unsynced
  }

  /** Opens the newest file of an earlier process. After a failure, the next write has to be a checkpoint. */
  get resume(): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { generations, left } = this
      if (left === undefined) return
      this.left = undefined
      const file = yield* this.openFile(this.pathOf(generations.at(-1) ?? 0))
      this.file = file
      this.size = left.size
      this.checkpointSize = left.checkpointSize
      // The earlier process may not have synced it.
      this.unsynced = true
      if (this.isSynced) yield* this.sync
    }).pipe(Effect.onError(() => this.fail))
  }

  private openFile(path: string): Effect.Effect<DiskFile, DiskError> {
    return Effect.map(this.isSynced ? this.disk.openDurable(path) : this.disk.openExisting(path), closingLast)
  }

  /** Appends changes; `isOpen` must be true. After a failure, the next write has to be a checkpoint. */
  append(changes: Buffer): Effect.Effect<void, DiskError> {
    return this.write("changes", changes)
  }

  private write(kind: StateBlockKind, changes: Buffer): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { file } = this
      if (file === undefined) return Effect.die(new Error("invariant: changes follow a checkpoint"))
      return file.write([encodeStateHeader(kind, changes), changes], this.size).pipe(
        Effect.tap(() =>
          Effect.sync(() => {
            this.size += stateHeaderSize + changes.length
            // A sync that has begun before does not count.
            this.unsynced = !this.isSynced || this.hidden !== undefined
            this.recent?.push(changes)
          })
        ),
        Effect.onError(() => this.fail)
      )
    })
  }

  /**
   * Makes the next generation without changes, while changes are appended to this one. After a failure, the next write has to be a
   * checkpoint; if that happens meanwhile for another reason, the result is `undefined`.
   */
  get prepare(): Effect.Effect<NextStateFile | undefined, DiskError> {
    return Effect.suspend(() => {
      const before = this.file
      if (before === undefined) return Effect.undefined
      const isCurrent = (): boolean => this.file === before
      return this.makeEmpty(++this.newest, isCurrent).pipe(
        Effect.flatMap((file) => {
          if (file === undefined || !isCurrent()) return Effect.as(file?.close ?? Effect.void, undefined)
          this.recent = []
          return Effect.as(Effect.onError(this.sync, () => file.close), { file, before })
        }),
        Effect.onError(() => isCurrent() ? this.fail : Effect.void)
      )
    })
  }

  /** Makes the file of a generation without changes; `undefined` if it is not wanted any more. */
  private makeEmpty(generation: number, isWanted: () => boolean): Effect.Effect<DiskFile | undefined, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const temporary = this.temporaryOf(generation)
      const path = this.pathOf(generation)
      yield* Effect.acquireUseRelease(
        this.disk.create(temporary),
        (file) =>
          file.truncate(0).pipe(
            Effect.andThen(file.write([encodeStateHeader("part", noChanges)], 0)),
            Effect.andThen(file.sync)
          ),
        (file) => file.close
      )
      if (isWanted()) yield* this.disk.rename(temporary, path)
      if (!isWanted()) {
        for (const file of [temporary, path]) yield* Effect.ignore(this.disk.remove(file))
        return undefined
      }
      this.generations = [...this.generations, generation]
      yield* this.disk.syncDirectory(this.directory)
      return yield* this.openFile(path)
    })
  }

  /**
   * Goes on with a file that `prepare` has made: `proceed` has to follow. Returns false if this is not possible any more. After a
   * failure, the next write has to be a checkpoint.
   */
  follow({ before, file }: NextStateFile): Effect.Effect<boolean, DiskError> {
    return Effect.gen({ self: this }, function*() {
      if (this.file !== before) {
        yield* file.close
        return false
      }
      // They would be missing if power was lost and later changes, which are in the next file, were not.
      const recent = Buffer.concat(this.recent ?? [])
      this.recent = undefined
      this.file = file
      this.size = stateHeaderSize
      this.unsynced = false
      this.unsyncedParts = 0
      this.isPartial = true
      yield* before.close
      if (recent.length > 0 && !this.isSynced) yield* this.write("changes", recent)
      return true
    })
  }

  /**
   * Starts the next generation with the first part of the whole state, or with all of it if it `isLast`. After a failure, the next
   * write has to be a checkpoint.
   */
  begin(encoded: Buffer, isLast: boolean): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      if (!isLast && this.whole) yield* this.syncBase
      yield* this.close
      const generation = ++this.newest
      const file = closingLast(yield* this.disk.create(this.temporaryOf(generation)))
      this.file = file
      this.size = 0
      this.unsyncedParts = 0
      this.isPartial = true
      this.hidden = generation
      yield* file.truncate(0)
      yield* this.write(isLast ? "checkpoint" : "part", encoded)
      // Files that lack changes and an incomplete checkpoint would not be a state that the log ever had.
      if (isLast || this.whole) yield* this.publish(generation)
      if (isLast) yield* this.complete
    }).pipe(Effect.onError(() => this.fail))
  }

  /** Makes the file of this generation the newest one, durably. */
  private publish(generation: number): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.sync
      const { isPartial } = this
      yield* this.close
      const path = this.pathOf(generation)
      yield* this.disk.rename(this.temporaryOf(generation), path)
      yield* this.disk.syncDirectory(this.directory)
      this.file = yield* this.openFile(path)
      this.isPartial = isPartial
      this.generations = [...this.generations, generation]
    })
  }

  /** Appends a further part of the whole state; `isWritingCheckpoint` must be true. `complete` has to follow the last one. */
  proceed(encoded: Buffer, isLast: boolean): Effect.Effect<void, DiskError> {
    return Effect.andThen(
      this.write(isLast ? "checkpoint" : "part", encoded),
      Effect.sync(() => void (this.unsyncedParts += encoded.length))
    )
  }

  /** Makes a checkpoint durable, and removes the files before those that are needed if it cannot be read. */
  get complete(): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { file, hidden } = this
      yield* this.sync
      if (this.file !== file) return
      if (hidden !== undefined) yield* this.publish(hidden)
      this.isPartial = false
      this.whole = true
      this.checkpointSize = this.size
      const removed = this.generations.filter((generation) => generation < this.base)
      this.generations = this.generations.filter((generation) => generation >= this.base)
      this.base = this.generations.at(-1) ?? 0
      for (const generation of removed) yield* Effect.ignore(this.disk.remove(this.pathOf(generation)))
    }).pipe(Effect.onError(() => this.fail))
  }

  /** Makes the files durable that are needed until the next checkpoint is complete; an earlier process may not have synced them. */
  private get syncBase(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      if (!this.whole || this.file !== undefined) return this.sync
      const needed = this.generations.filter((generation) => generation >= this.base)
      return Effect.forEach(needed, (generation) =>
        Effect.acquireUseRelease(
          this.disk.openExisting(this.pathOf(generation)),
          (file) => file.sync,
          (file) => file.close
        ), { discard: true })
    })
  }

  private temporaryOf(generation: number): string {
    return `${this.pathOf(generation)}.tmp`
  }

  private pathOf(generation: number): string {
    return Path.join(this.directory, stateFileName(generation))
  }

  /**
   * Completes when the changes so far are durable. Others can be appended meanwhile. After a failure, the next write has to be a
   * checkpoint.
   */
  get sync(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { file } = this
      if (file === undefined || !this.unsynced) return Effect.void
      this.unsynced = false
      this.unsyncedParts = 0
      return Effect.onError(file.sync, () => this.file === file ? this.fail : Effect.void)
    })
  }

  /** The next write has to be a complete checkpoint: the file lacks changes, or is gone. */
  get fail(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.whole = false
      this.left = undefined
      return this.close
    })
  }

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { file } = this
      this.file = undefined
      this.isPartial = false
      this.hidden = undefined
      this.recent = undefined
      return file === undefined ? Effect.void : file.close
    })
  }
}
