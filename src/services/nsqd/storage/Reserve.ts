/**
 * Space reserved for a full disk (docs/protocol/files.md#reserve): a file of random bytes beside the queues. If the
 * disk is full, it is removed for what must be written: the state of queues, nsqd.dat and, during shutdown, messages
 * that are only in memory. New messages never use it. It is recreated once there is twice its size of free space.
 *
 * While the disk is full, all publishing is refused, even if memory has room, because the messages could not be
 * written at shutdown. Consumers continue, and removed files make space.
 */
import { Effect } from "effect"
import * as Crypto from "node:crypto"
import * as Path from "node:path"
import { parseQueueFileName } from "../../../protocol/storage/DiskQueueFormat.ts"
import { parseLogFileName } from "../../../protocol/storage/LogFiles.ts"
import { Disk, DiskError, type DiskFile } from "../disk/Disk.ts"

/** The name of the reserve in the data directory. */
export const reserveFileName = "nsqd.reserve.dat"

const maxBytes = 16 * 1024 * 1024
/** A smaller reserve is not created. */
const minBytes = 64 * 1024
/** The reserve is at most this fraction of a disk. */
const share = 16
/** More than file systems compress at once. */
const pieceBytes = 256 * 1024

/** The size of the reserve on a disk of `total` bytes; 0 for none. */
export const reserveBytes = (total: number): number => {
  const size = Math.min(maxBytes, Math.floor(total / share / 4096) * 4096)
  return size < minBytes ? 0 : size
}

export class Reserve {
  /** The disk for queues and metadata. */
  readonly disk: Disk["Service"]
  private readonly raw: Disk["Service"]
  private readonly directory: string
  private readonly path: string
  private isHeld = false
  /** Number of times the reserve was used: a failed operation may succeed after that. */
  private uses = 0
  private full: DiskError | undefined
  private isStopping = false

  constructor(disk: Disk["Service"], directory: string) {
    this.raw = disk
    this.directory = directory
    this.path = Path.join(directory, reserveFileName)
    this.disk = Disk.of({
      ...disk,
      create: (path) => this.guardedFile(path, disk.create(path)),
      openDurable: (path) => this.guardedFile(path, disk.openDurable(path)),
      openExisting: (path) => this.guardedFile(path, disk.openExisting(path)),
      writeText: (path, text) => this.guarded(path, disk.writeText(path, text)),
      remove: (path) => Effect.tap(disk.remove(path), () => this.spaceMade)
    })
  }

  /** The reason why publishing is refused; `undefined` while there is space. */
  get refusal(): string | undefined {
    return this.full?.message
  }

  /** Allows messages to use the reserve from now on, because nothing more is published. */
  readonly beginStop: Effect.Effect<void> = Effect.sync(() => void (this.isStopping = true))

  /** Creates the reserve if there is space, and detects space on a full disk. To be called periodically. */
  get maintain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isStopping || (this.isHeld && this.full === undefined)) return Effect.void
      return Effect.matchEffect(this.raw.space(this.directory), {
        onFailure: () => Effect.void,
        onSuccess: ({ free, total }) => {
          const size = reserveBytes(total)
          const held = this.isHeld || size === 0 ? Effect.void : this.hold(size, free)
          return Effect.andThen(held, Effect.suspend(() => this.noteSpace(size, free)))
        }
      })
    })
  }

  private hold(size: number, free: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const file = yield* this.raw.create(this.path)
      const write = Effect.gen({ self: this }, function*() {
        const existing = yield* file.size
        if (existing >= size) return true
        if (free + existing < 2 * size) return false
        // Incompressible. A loop that computes such bytes would make V8 load its optimizing compiler at every start: 5 MB.
        const bytes = Crypto.randomFillSync(Buffer.allocUnsafe(Math.min(size, pieceBytes)))
        for (let at = 0; at < size; at += bytes.length) {
          yield* file.write([bytes.subarray(0, Math.min(bytes.length, size - at))], at)
        }
        return true
      })
      this.isHeld = yield* Effect.ensuring(write, file.close)
      if (!this.isHeld) yield* this.raw.remove(this.path)
    }).pipe(Effect.catch(() => Effect.ignore(this.raw.remove(this.path))), Effect.uninterruptible)
  }

  /** Free space below a quarter of the reserve counts as none. */
  private noteSpace(size: number, free: number): Effect.Effect<void> {
    if (this.full === undefined || (size > 0 && !this.isHeld) || free < size / 4) return Effect.void
    this.full = undefined
    return Effect.logInfo("DISK: space is available again, messages are accepted")
  }

  /** A file was removed: there may be enough space now, unless the reserve has to be recreated first. */
  private readonly spaceMade: Effect.Effect<void> = Effect.suspend(() =>
    this.isHeld && this.full !== undefined ? this.maintain : Effect.void
  )

  private noteFull(error: DiskError): Effect.Effect<void> {
    return Effect.matchEffect(this.raw.space(this.directory), {
      onFailure: () => Effect.void,
      onSuccess: ({ free, total }) => {
        // A quota, or a link to another device, affects only one file.
        if (free >= reserveBytes(total) / 4 || this.full !== undefined) return Effect.void
        this.full = error
        return Effect.logError(`DISK: ${error.message}; messages are refused until space is available`)
      }
    })
  }

  private get spend(): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      if (!this.isHeld) return Effect.succeed(false)
      return Effect.matchEffect(this.raw.remove(this.path), {
        onFailure: () => Effect.succeed(false),
        onSuccess: () => {
          this.isHeld = false
          this.uses++
          return Effect.as(Effect.logWarning(`DISK: releasing the reserve ${this.path}`), true)
        }
      })
    })
  }

  /** Opening is never refused, because failed writes are cut off while the disk is full. */
  private guarded<A>(
    path: string,
    operation: Effect.Effect<A, DiskError>,
    isWrite = true
  ): Effect.Effect<A, DiskError> {
    const kind = parseQueueFileName(Path.basename(path))?.kind._tag
    const isMessages = kind === "Data" || kind === "Sums" || parseLogFileName(Path.basename(path))?.kind === "segment"
    return Effect.suspend(() => {
      const { full } = this
      const isRefused = isMessages && !this.isStopping
      if (isRefused && isWrite && full !== undefined) {
        return Effect.fail(new DiskError({ operation: "write", path, code: full.code, text: full.text }))
      }
      const { uses } = this
      const isSpent = Effect.suspend(() => this.uses > uses ? Effect.succeed(true) : this.spend)
      return Effect.catchIf(operation, ({ isFull }) => isFull, (error) =>
        Effect.andThen(
          this.noteFull(error),
          isRefused ? Effect.fail(error) : Effect.flatMap(isSpent, (spent) => spent ? operation : Effect.fail(error))
        ))
    })
  }

  private guardedFile(path: string, open: Effect.Effect<DiskFile, DiskError>): Effect.Effect<DiskFile, DiskError> {
    return Effect.map(this.guarded(path, open, false), (file): DiskFile => ({
      ...file,
      write: (buffers, position) => this.guarded(path, file.write(buffers, position))
    }))
  }
}
