/**
 * The state file of a disk queue (docs/protocol/files.md#state-files), and NSQ's metadata file. Both are overwritten
 * in place and need no new disk space once they exist, so that a full disk does not prevent recording what was read.
 *
 * The state file is created when there is something to record that NSQ's metadata does not contain: a queue that was
 * never used, or not since NSQ's nsqd closed it, has none. It is the first file to be removed when the queue is
 * deleted.
 */
import { Effect, Result, Semaphore } from "effect"
import * as Path from "node:path"
import {
  encodeQueueMetadata,
  metadataFileName,
  type QueuePosition,
  stateFileName
} from "../../../protocol/storage/DiskQueueFormat.ts"
import {
  decodeExtension,
  decodeSlot,
  encodeExtension,
  encodeSlot,
  extensionOffset,
  extensionSize,
  fitRanges,
  maxExtendedRanges,
  maxRanges,
  type QueueRange,
  type QueueState,
  slotCount,
  slotSize
} from "../../../protocol/storage/QueueState.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { QueueInventory } from "./QueueInventory.ts"

/** The state of a queue to be recorded. */
export interface Snapshot {
  /** Unsettled messages. */
  readonly depth: number
  /** The read position. */
  readonly read: QueuePosition
  readonly write: QueuePosition
  /** Unsettled ranges before `read`, in any order. */
  readonly unsettled: ReadonlyArray<QueueRange>
  /** See `QueueState`; `undefined` once the queue is closed. */
  readonly recent: QueuePosition | undefined
}

/** The files found when the queue was opened. */
export interface LoadedState {
  readonly state: QueueState | undefined
  /** The content of NSQ's metadata file; `undefined` if it does not exist. */
  readonly metadata: string | undefined
}

/** Three lines of numbers, with room for leftovers of a longer text after a crash. */
const metadataBytesMax = 1024

const emptySlot = Buffer.alloc(slotSize)

/** NSQ reads three lines and ignores leftovers of a longer text, which a crash before the truncation leaves. */
const firstLines = (text: string): string => text.split("\n", 3).join("\n") + "\n"

/** Whether NSQ's metadata file belongs to the state; otherwise NSQ's nsqd has used the queue since. */
export const isPaired = ({ metadata, state }: LoadedState): boolean => {
  if (state === undefined) return false
  // NSQ removes its file when a queue is emptied, with the data files; positions skip missing files.
  if (metadata === undefined || state.metadata === undefined || state.previousMetadata === undefined) return true
  // NSQ replaces its file as a whole. An incomplete text is one of ours, of which a loss of power has kept the bytes
  // but not the size; the state may be older.
  if (metadata.split("\n").length < 4) return true
  return isBetween(firstLines(metadata), state.previousMetadata, state.metadata)
}

/**
 * Whether a text is the old one, the new one, or the start of the new one over the old one: a crash may cut the write, or keep
 * its bytes and lose the new size.
 */
const isBetween = (text: string, before: string, after: string): boolean => {
  for (let cut = 0; cut <= after.length; cut++) {
    const overwritten = after.slice(0, cut) + before.slice(cut)
    if (text === firstLines(overwritten) || text === firstLines(overwritten.slice(0, before.length))) return true
  }
  return false
}

export class StateFile {
  private readonly disk: Disk["Service"]
  private readonly dataPath: string
  private readonly name: string
  /** Whether the state file has a valid slot and its full size. */
  private exists = false
  private sequence = 0
  /** Whether the file was created and its directory was not synced since. */
  private isNew = false
  /** Whether the newest recorded state is that of an open queue. */
  isOpen = false
  /** The slot synced last; it stays untouched until the other one is synced. */
  private syncedSlot = 1
  /** The content of NSQ's file: empty if it does not exist, `undefined` if unknown after a failed write. */
  private metadata: string | undefined = ""
  /** Whether that content is durable. Unknown for the content that the last process left. */
  private isMetadataDurable = false
  /** The next content of NSQ's file: a slot written meanwhile belongs to both contents. */
  private upcoming: string | undefined
  private open: { state?: DiskFile; metadata?: DiskFile } | undefined
  /** Allows one slot write at a time. A sync does not hold it while it waits for the disk. */
  private writing: Semaphore.Semaphore | undefined

  constructor(disk: Disk["Service"], dataPath: string, name: string) {
    this.disk = disk
    this.dataPath = dataPath
    this.name = name
  }

  // Built when needed: a daemon may have tens of thousands of unused queues.
  private get statePath(): string {
    return Path.join(this.dataPath, stateFileName(this.name))
  }

  private get metadataPath(): string {
    return Path.join(this.dataPath, metadataFileName(this.name))
  }

  /** Whether NSQ's file exists, as far as known. */
  get hasMetadata(): boolean {
    return this.metadata !== ""
  }

  /** Loads the newest state and NSQ's file. A state file without a valid slot counts as missing. */
  load(inventory: QueueInventory): Result.Result<LoadedState, DiskError> {
    const metadata = inventory.hasMetadata
      ? Result.map(this.disk.readStart(this.metadataPath, metadataBytesMax), (found) => found?.bytes.toString())
      : Result.succeed(undefined)
    if (Result.isFailure(metadata)) return Result.fail(metadata.failure)
    this.metadata = metadata.success ?? ""
    if (!inventory.hasState) return Result.succeed({ state: undefined, metadata: metadata.success })
    return Result.map(this.disk.readStart(this.statePath, slotCount * slotSize), (found) => ({
      state: found === undefined ? undefined : this.newest(found.bytes),
      metadata: metadata.success
    }))
  }

  private newest(bytes: Buffer): QueueState | undefined {
    let state: QueueState | undefined
    for (let slot = 0; slot < slotCount; slot++) {
      const found = decodeSlot(bytes.subarray(slot * slotSize, (slot + 1) * slotSize))
      if (found === undefined || (state !== undefined && found.sequence <= state.sequence)) continue
      state = found
      this.sequence = found.sequence
      this.syncedSlot = slot
    }
    this.exists = state !== undefined
    this.isOpen = state?.recent !== undefined
    return state
  }

  /** Adds the exact ranges to a state whose slot had no space for them. */
  extended(state: QueueState): Effect.Effect<QueueState, DiskError> {
    const extension = Buffer.alloc(extensionSize)
    return Effect.acquireUseRelease(
      this.disk.open(this.statePath),
      (file) => file.read(extension, extensionOffset(state.sequence)),
      (file) => file.close
    ).pipe(Effect.map((length) => ({ ...state, ...decodeExtension(extension.subarray(0, length), state.sequence) })))
  }

  /**
   * Records the state without waiting for the disk: it survives the end of the process, not a loss of power. May run
   * concurrently with a sync. Records nothing if `snapshot` returns `undefined`.
   */
  save(snapshot: () => Snapshot | undefined): Effect.Effect<void, DiskError> {
    return this.alone(Effect.suspend(() => {
      const current = snapshot()
      return current === undefined ? Effect.void : this.writeSlot(current, this.upcoming ?? this.metadata, false)
    }))
  }

  /** Records the state in both files; with `durable`, waits until both are on disk. */
  sync(snapshot: () => Snapshot, durable: boolean): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      // The slot refers to the content of NSQ's file, which must not be older after a loss of power.
      if (durable && this.hasMetadata && !this.isMetadataDurable) yield* this.syncMetadata()
      const { file, sequence, slot, text } = yield* this.alone(Effect.suspend(() => {
        const current = snapshot()
        const text = metadataOf(current)
        this.upcoming = text
        return Effect.map(this.writeSlot(current, text, true), (written) => ({ ...written, text }))
      }))
      if (durable) {
        yield* file.sync
        if (this.isNew) {
          yield* this.disk.syncDirectory(this.dataPath === "" ? "." : this.dataPath)
          this.isNew = false
        }
        // If a newer slot was written since, that slot stays the one to overwrite: the other one is durable.
        if (this.sequence === sequence) this.syncedSlot = slot
      }
      if (text !== this.metadata) yield* this.writeMetadata(text, durable)
    }).pipe(Effect.ensuring(Effect.sync(() => void (this.upcoming = undefined))))
  }

  /** Writes NSQ's file, and the state if there is a state file. */
  describe(snapshot: () => Snapshot): Effect.Effect<void, DiskError> {
    return this.exists
      ? this.sync(snapshot, false)
      : this.alone(Effect.suspend(() => this.writeMetadata(metadataOf(snapshot()), false)))
  }

  private alone<A>(work: Effect.Effect<A, DiskError>): Effect.Effect<A, DiskError> {
    this.writing ??= Semaphore.makeUnsafe(1)
    return this.writing.withPermit(work)
  }

  /** Removes NSQ's file, as NSQ does when a queue is emptied. */
  removeMetadata(): Effect.Effect<void, DiskError> {
    return this.alone(Effect.andThen(
      this.close(),
      Effect.tap(this.disk.remove(this.metadataPath), () => Effect.sync(() => void (this.metadata = "")))
    ))
  }

  /** Removes the state file. */
  remove(): Effect.Effect<void, DiskError> {
    return this.alone(Effect.andThen(this.close(), this.disk.remove(this.statePath)))
  }

  /** Closes the files until they are needed again. No write may be running. */
  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { open } = this
      this.open = undefined
      if (open === undefined) return Effect.void
      return Effect.andThen(open.state?.close ?? Effect.void, open.metadata?.close ?? Effect.void)
    })
  }

  private encode(snapshot: Snapshot, metadata: string | undefined, isSynced: boolean, isExtended: boolean): Buffer {
    const { ranges, read } = fitRanges(snapshot.unsettled, snapshot.read)
    this.isOpen = snapshot.recent !== undefined
    return encodeSlot({
      sequence: ++this.sequence,
      isSynced,
      isExtended,
      depth: snapshot.depth,
      read,
      write: snapshot.write,
      unsettled: ranges,
      recent: snapshot.recent,
      metadata,
      previousMetadata: this.metadata
    })
  }

  private writeSlot(snapshot: Snapshot, text: string | undefined, isSynced: boolean) {
    return Effect.gen({ self: this }, function*() {
      const slot = 1 - this.syncedSlot
      const file = this.open?.state ?? (yield* this.disk.create(this.statePath))
      this.open = { ...this.open, state: file }
      const isExtended = snapshot.unsettled.length > maxRanges && (yield* this.writeExtension(file, snapshot))
      const bytes = this.encode(snapshot, text, isSynced, isExtended)
      if (this.exists) yield* file.write([bytes], slot * slotSize)
      // The first write allocates both slots, so that later ones need no space.
      else {
        yield* file.write(slot === 0 ? [bytes, emptySlot] : [emptySlot, bytes], 0)
        this.isNew = true
      }
      this.exists = true
      return { file, slot, sequence: this.sequence }
    })
  }

  /**
   * Written before its slot, and not over the previous slot's extension. Without disk space the slot alone is
   * sufficient.
   */
  private writeExtension(file: DiskFile, snapshot: Snapshot): Effect.Effect<boolean> {
    const { ranges, read } = fitRanges(snapshot.unsettled, snapshot.read, maxExtendedRanges)
    if (ranges.length <= maxRanges) return Effect.succeed(false)
    const sequence = this.sequence + 1
    const bytes = encodeExtension(sequence, { read, unsettled: ranges })
    return Effect.match(file.write([bytes], extensionOffset(sequence)), {
      onSuccess: () => true,
      onFailure: () => false
    })
  }

  private syncMetadata(): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const file = this.open?.metadata ?? (yield* this.disk.create(this.metadataPath))
      this.open = { ...this.open, metadata: file }
      yield* file.sync
      this.isMetadataDurable = true
    })
  }

  private writeMetadata(text: string, durable: boolean): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const file = this.open?.metadata ?? (yield* this.disk.create(this.metadataPath))
      this.open = { ...this.open, metadata: file }
      const before = this.metadata
      this.metadata = undefined
      this.isMetadataDurable = false
      yield* file.write([Buffer.from(text)], 0)
      if (before === undefined || before.length > text.length) yield* file.truncate(text.length)
      if (durable) yield* file.sync
      this.metadata = text
      this.isMetadataDurable = durable
    })
  }
}

/** NSQ's view of the state: reading restarts at the oldest unsettled message. */
const metadataOf = ({ depth, read, unsettled, write }: Snapshot): string => {
  const oldest = unsettled.reduce(
    (first, range) =>
      range.file < first.file || (range.file === first.file && range.from < first.offset)
        ? { file: range.file, offset: range.from }
        : first,
    read
  )
  return encodeQueueMetadata({ depth, read: oldest, write })
}
