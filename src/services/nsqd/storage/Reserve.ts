/**
 * Space that is kept for a full disk: a file of random bytes beside the queues. When there is no space left it is removed for
 * what must be written: the state of queues, nsqd.dat, and, while the daemon stops, the messages that are only in memory.
 * New messages never use it. It is made again once there is space for it twice.
 *
 * While the disk is known to be full, everything published is refused, also what would fit into memory: nobody could write it
 * down when the daemon stops. Consumers go on, and files that they finish are removed, which makes space.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { parseQueueFileName } from "../../../protocol/storage/DiskQueueFormat.ts"
import { Disk, DiskError, type DiskFile } from "./Disk.ts"

/** The reserve's name in the data directory. */
export const reserveFileName = "nsqd.reserve.dat"

const maxBytes = 16 * 1024 * 1024
/** Less than this is not worth a file. */
const minBytes = 64 * 1024
/** A small disk gives up this part of itself. */
const share = 16
const pieceBytes = 1024 * 1024

/** How large the reserve is on a disk of `total` bytes; 0 for none. */
export const reserveBytes = (total: number): number => {
  const size = Math.min(maxBytes, Math.floor(total / share / 4096) * 4096)
  return size < minBytes ? 0 : size
}

/** Bytes that no file system can store in less space. A generator by Marsaglia; chance has no other part in it. */
const noise = (size: number): Buffer => {
  const bytes = Buffer.allocUnsafe(size)
  let state = 0x9e3779b9
  for (let at = 0; at + 4 <= size; at += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes.writeInt32LE(state | 0, at)
  }
  return bytes
}

const isFullError = (error: DiskError): boolean => error.code === "ENOSPC" || error.code === "EDQUOT"

export class Reserve {
  /** The disk for the queues and the metadata. */
  readonly disk: Disk["Service"]
  private readonly raw: Disk["Service"]
  private readonly directory: string
  private readonly path: string
  private isHeld = false
  /** How often the reserve was used: what failed before may succeed now. */
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
      openExisting: (path) => this.guardedFile(path, disk.openExisting(path)),
      writeText: (path, text) => this.guarded(path, disk.writeText(path, text)),
      remove: (path) => Effect.tap(disk.remove(path), () => this.spaceMade)
    })
  }

  /** Why nothing can be published; `undefined` while there is space. */
  get refusal(): string | undefined {
    return this.full?.message
  }

  /** From now on messages may use the reserve: nothing is published any more. */
  readonly beginStop: Effect.Effect<void> = Effect.sync(() => void (this.isStopping = true))

  /** Makes the reserve where there is space for it, and notices that a full disk has space again. To be called on a timer. */
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
        const bytes = noise(Math.min(size, pieceBytes))
        for (let at = 0; at < size; at += bytes.length) {
          yield* file.write([bytes.subarray(0, Math.min(bytes.length, size - at))], at)
        }
        return true
      })
      this.isHeld = yield* Effect.ensuring(write, file.close)
      if (!this.isHeld) yield* this.raw.remove(this.path)
    }).pipe(Effect.catch(() => Effect.ignore(this.raw.remove(this.path))), Effect.uninterruptible)
  }

  /** Less free space than a quarter of the reserve counts as none. */
  private noteSpace(size: number, free: number): Effect.Effect<void> {
    if (this.full === undefined || (size > 0 && !this.isHeld) || free < size / 4) return Effect.void
    this.full = undefined
    return Effect.logInfo("DISK: there is space again, messages are accepted")
  }

  /** A queue has removed a file: what is published next finds out whether that is enough, unless the reserve comes first. */
  private readonly spaceMade: Effect.Effect<void> = Effect.suspend(() => {
    if (this.isHeld && this.full !== undefined) this.full = undefined
    return Effect.void
  })

  private noteFull(error: DiskError): Effect.Effect<void> {
    return Effect.matchEffect(this.raw.space(this.directory), {
      onFailure: () => Effect.void,
      onSuccess: ({ free, total }) => {
        // A quota or a link to another device concerns one file.
        if (free >= reserveBytes(total) / 4 || this.full !== undefined) return Effect.void
        this.full = error
        return Effect.logError(`DISK: ${error.message}; messages are refused until there is space`)
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
          return Effect.as(Effect.logWarning(`DISK: using the reserve ${this.path}`), true)
        }
      })
    })
  }

  /** Opening is never refused: the rest of a failed write is cut off while the disk is full. */
  private guarded<A>(
    path: string,
    operation: Effect.Effect<A, DiskError>,
    isWrite = true
  ): Effect.Effect<A, DiskError> {
    const kind = parseQueueFileName(Path.basename(path))?.kind._tag
    const isMessages = kind === "Data" || kind === "Sums"
    return Effect.suspend(() => {
      const { full } = this
      const isRefused = isMessages && !this.isStopping
      if (isRefused && isWrite && full !== undefined) {
        return Effect.fail(new DiskError({ operation: "write", path, code: full.code, text: full.text }))
      }
      const { uses } = this
      const isSpent = Effect.suspend(() => this.uses > uses ? Effect.succeed(true) : this.spend)
      return Effect.catchIf(operation, isFullError, (error) =>
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
