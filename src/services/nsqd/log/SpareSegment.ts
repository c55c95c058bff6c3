/**
 * The file of the next segment of a `synced` log, with blocks that can be written durably at once: the file of a segment whose
 * messages are all finished, or one that is filled with zeros in the background.
 *
 * A file that is used again has records of its earlier life. Their sequences are below those of the new segment, which tells them
 * apart. The file has a temporary name, so that a start removes it.
 */
import { Effect, Latch } from "effect"
import * as Path from "node:path"
import type { Disk, DiskError } from "../disk/Disk.ts"
import type { Segment } from "./Segment.ts"
import { hasSpace, zeros } from "./zeros.ts"

/** Smaller files are not kept. */
const leastBytes = 1024 * 1024

interface Spare {
  /** The file has blocks up to here. */
  allocated: number
}

export class SpareSegment {
  private readonly disk: Disk["Service"]
  private readonly directory: string
  private readonly path: string
  private spare: Spare | undefined
  /** Closed while the file is made or changed. */
  private readonly isIdle = Latch.makeUnsafe(true)
  private isClosed = false

  constructor(disk: Disk["Service"], directory: string) {
    this.disk = disk
    this.directory = directory
    this.path = Path.join(directory, "spare.tmp")
  }

  /** Bytes of the file; 0 if there is none. */
  get bytes(): number {
    return this.spare?.allocated ?? 0
  }

  private get isFree(): boolean {
    return this.isIdle.isOpen() && !this.isClosed
  }

  private use<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.isIdle.closeUnsafe()
      return Effect.ensuring(work, Effect.sync(() => this.isIdle.openUnsafe()))
    })
  }

  /** Adds zeros, in the background of the commits. Without space the file does not grow. */
  extend(size: number): Effect.Effect<void> {
    const write = Effect.gen({ self: this }, function*() {
      if (!(yield* hasSpace(this.disk, this.directory, size))) return
      const from = this.bytes
      const file = yield* from === 0 ? this.disk.create(this.path) : this.disk.openExisting(this.path)
      yield* Effect.ensuring(Effect.andThen(file.write(zeros(size), from), file.sync), file.close)
      this.spare = { allocated: from + size }
    })
    return Effect.suspend(() => this.isFree ? this.use(Effect.catch(write, () => this.remove)) : Effect.void)
  }

  /** Removes the file of a segment, whose messages are all finished, or keeps it. */
  reclaim(segment: Segment): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const size = segment.size ?? 0
      if (!this.isFree || size < leastBytes || size <= this.bytes) return this.disk.remove(segment.path)
      const keep = Effect.gen({ self: this }, function*() {
        // On a full disk, finished segments make space for others.
        if (!(yield* hasSpace(this.disk, this.directory, size))) return yield* this.disk.remove(segment.path)
        this.spare = undefined
        yield* this.disk.rename(segment.path, this.path)
        this.spare = { allocated: size }
      })
      return this.use(keep)
    })
  }

  /** Gives the file the name `path`. Returns its size in bytes; 0 if there is none. */
  take(path: string): Effect.Effect<number> {
    return Effect.andThen(
      this.isIdle.await,
      Effect.suspend(() => {
        const size = this.bytes
        if (size === 0 || this.isClosed) return Effect.succeed(0)
        this.spare = undefined
        return Effect.orElseSucceed(Effect.as(this.disk.rename(this.path, path), size), () => 0)
      })
    )
  }

  private get remove(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.spare = undefined
      return Effect.ignore(this.disk.remove(this.path))
    })
  }

  /** Removes the file, to give its space back. */
  get drop(): Effect.Effect<void> {
    return Effect.andThen(this.isIdle.await, Effect.suspend(() => this.spare === undefined ? Effect.void : this.remove))
  }

  /** Removes the file and makes no other. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosed = true
      return this.drop
    })
  }
}
