/**
 * The files with the state of a log's channels (docs/protocol/files.md#state-of-the-channels). Changes are appended to the
 * newest file. When it has become long, or a write has failed, a new file begins with a checkpoint of the whole state; the one
 * before it stays until the next, in case that the checkpoint cannot be read.
 *
 * A large checkpoint is written in parts, between which changes are appended. Until it is complete, the file before is needed. If
 * that lacks changes, the new file becomes visible when its checkpoint is complete.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { parseLogFileName, stateFileName } from "../../../protocol/storage/LogFiles.ts"
import {
  decodeLogState,
  encodeStateHeader,
  type StateBlockKind,
  stateHeaderSize
} from "../../../protocol/storage/LogState.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { LogDurability } from "../options/Durability.ts"
import { RecoveredState } from "./RecoveredState.ts"
import { readStateBlocks } from "./StateBlocks.ts"

/** Parts of a checkpoint are synced when they have this size, so that no sync takes long, in bytes. */
const syncBytes = 4 * 1024 * 1024

/** The state files of a log. */
export interface StateGenerations {
  /** All generations, oldest first. */
  readonly all: ReadonlyArray<number>
  /** The newest generation with a complete checkpoint; without one, the oldest generation, or 0. */
  readonly base: number
}

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

/** What the state files of a log contain. */
export interface LoadedState {
  readonly state: RecoveredState
  readonly generations: StateGenerations
  /** What cannot be read of the files. */
  readonly damage: ReadonlyArray<string>
  /** Whether changes are missing that were recorded: more than the incomplete end that a crash leaves. */
  readonly isIncomplete: boolean
}

export class StateFile {
  private readonly disk: Disk["Service"]
  private readonly directory: string
  private readonly isSynced: boolean
  private readonly sizes: StateSizes
  private generations: ReadonlyArray<number>
  /** The files from this generation on have everything that was recorded. */
  private base: number
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

  /** `generations` are the ones that exist. */
  constructor(disk: Disk["Service"], options: StateFileOptions, { all, base }: StateGenerations) {
    this.disk = disk
    this.directory = options.directory
    this.isSynced = options.durability === "synced"
    this.generations = all
    this.base = base
    this.sizes = options.stateSizes ?? usualStateSizes
    this.whole = all.length > 0
  }

  /** Reads the state that the files of `names` contain. */
  static load(
    disk: Disk["Service"],
    directory: string,
    names: ReadonlyArray<string>
  ): Effect.Effect<LoadedState, DiskError> {
    return Effect.gen(function*() {
      const numbers = names.flatMap((name) => {
        const file = parseLogFileName(name)
        return file?.kind === "state" ? [file.number] : []
      }).sort((a, b) => b - a)
      const pathOf = (generation: number): string => Path.join(directory, stateFileName(generation))
      let damage: ReadonlyArray<string> = []
      let isDamaged = false
      let state = new RecoveredState()
      const read = Effect.fnUntraced(function*(generation: number) {
        const path = pathOf(generation)
        const blocks = yield* readStateBlocks(disk, path, ({ changes }) => decodeLogState(changes, state))
        const { hasStart, holes, size } = blocks
        damage = [
          ...damage,
          ...hasStart ? [] : [`${path} has no valid checkpoint`],
          ...holes.map(({ from, to }) => `${path} cannot be read from ${from} to ${to}`)
        ]
        isDamaged ||= !hasStart || holes.some(({ to }) => to < size)
        return blocks
      })
      let used = 0
      let hasCheckpoint = false
      for (const generation of numbers) {
        used++
        hasCheckpoint = (yield* read(generation)).isComplete
        if (hasCheckpoint) break
      }
      // Files without a complete checkpoint have changes of what the files before contain.
      if (used > 1) {
        state = new RecoveredState()
        damage = []
        for (const generation of numbers.slice(0, used).toReversed()) yield* read(generation)
      }
      return {
        state,
        generations: { all: numbers.toReversed(), base: numbers[used - 1] ?? 0 },
        damage,
        isIncomplete: numbers.length > 0 && (!hasCheckpoint || isDamaged)
      }
    })
  }

  /** Whether the next write has to be a checkpoint. */
  get needsCheckpoint(): boolean {
    return this.file === undefined ||
      (!this.isPartial && this.size > 2 * this.checkpointSize + this.sizes.slackBytes)
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

  /** Appends changes; `needsCheckpoint` must be false. After a failure, the next write has to be a checkpoint. */
  append(changes: Buffer): Effect.Effect<void, DiskError> {
    return this.write("changes", changes)
  }

  private write(kind: StateBlockKind, changes: Buffer): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { file } = this
      if (file === undefined) return Effect.die(new Error("invariant: changes follow a checkpoint"))
      this.unsynced = !this.isSynced || this.hidden !== undefined
      return file.write([encodeStateHeader(kind, changes), changes], this.size).pipe(
        Effect.tap(() => Effect.sync(() => void (this.size += stateHeaderSize + changes.length))),
        Effect.onError(() => this.fail)
      )
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
      const generation = (this.generations.at(-1) ?? 0) + 1
      const file = yield* this.disk.create(this.temporaryOf(generation))
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
      this.file = yield* this.isSynced ? this.disk.openDurable(path) : this.disk.openExisting(path)
      this.isPartial = isPartial
      this.generations = [...this.generations, generation]
    })
  }

  /** Appends a further part of the whole state; `isWritingCheckpoint` must be true. */
  proceed(encoded: Buffer, isLast: boolean): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.write(isLast ? "checkpoint" : "part", encoded)
      this.unsyncedParts += encoded.length
      if (isLast || this.unsyncedParts >= syncBytes) {
        this.unsyncedParts = 0
        yield* this.sync
      }
      if (isLast && this.hidden !== undefined) yield* this.publish(this.hidden)
      if (isLast) yield* this.complete
    }).pipe(Effect.onError(() => this.fail))
  }

  /** Removes the files before those that are needed if the newest checkpoint cannot be read. */
  private get complete(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.isPartial = false
      this.whole = true
      this.checkpointSize = this.size
      const removed = this.generations.filter((generation) => generation < this.base)
      this.generations = this.generations.filter((generation) => generation >= this.base)
      this.base = this.generations.at(-1) ?? 0
      for (const generation of removed) yield* Effect.ignore(this.disk.remove(this.pathOf(generation)))
    })
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

  /** Completes when all changes are durable. After a failure, the next write has to be a checkpoint. */
  get sync(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { file } = this
      if (file === undefined || !this.unsynced) return Effect.void
      this.unsynced = false
      return Effect.onError(file.sync, () => this.fail)
    })
  }

  /** The next write has to be a complete checkpoint: the file lacks changes, or is gone. */
  get fail(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.whole = false
      return this.close
    })
  }

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { file } = this
      this.file = undefined
      this.isPartial = false
      this.hidden = undefined
      return file === undefined ? Effect.void : file.close
    })
  }
}
