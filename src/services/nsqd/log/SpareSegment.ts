/**
 * Files for the next segments of a `synced` log, with blocks that can be written durably at once: the file of a segment whose
 * messages are all finished, or one that is filled with zeros in the background.
 *
 * A file that is used again has records of its earlier life. Their sequences are below those of the new segment, which tells them
 * apart. The files have temporary names, so that a start removes them.
 */
import { Effect, Latch } from "effect"
import * as Path from "node:path"
import type { Disk, DiskError } from "../disk/Disk.ts"
import type { Segment } from "./Segment.ts"
import { hasSpace, zeros } from "./zeros.ts"

/** Smaller files are not kept. */
const leastBytes = 1024 * 1024

/**
 * Files at most: a topic whose consumers have caught up leaves its segment while the file of the one before waits, and needs both when
 * it is busy again.
 */
const filesMost = 2

interface Spare {
  readonly path: string
  /** The file has blocks up to here. */
  readonly allocated: number
}

export class SpareSegment {
  private readonly disk: Disk["Service"]
  private readonly directory: string
  private files: ReadonlyArray<Spare> = []
  /** Closed while a file is made or changed. */
  private readonly isIdle = Latch.makeUnsafe(true)
  private isClosed = false

  constructor(disk: Disk["Service"], directory: string) {
    this.disk = disk
    this.directory = directory
  }

  /** Bytes of the next file; 0 without a spare file. */
  get bytes(): number {
    return this.files[0]?.allocated ?? 0
  }

  private get freePath(): string {
    const paths = Array.from({ length: filesMost }, (_, i) => Path.join(this.directory, `spare-${i}.tmp`))
    return paths.find((path) => !this.files.some((file) => file.path === path)) ?? paths[0]!
  }

  /** The largest file is the next one. */
  private add(path: string, allocated: number): void {
    const others = this.files.filter((file) => file.path !== path)
    this.files = [...others, { path, allocated }].sort((a, b) => b.allocated - a.allocated)
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

  /** Adds zeros to the next file, in the background of the commits. Without space it does not grow. */
  extend(size: number): Effect.Effect<void> {
    const write = Effect.gen({ self: this }, function*() {
      if (!(yield* hasSpace(this.disk, this.directory, size))) return
      const { allocated: from, path } = this.files[0] ?? { path: this.freePath, allocated: 0 }
      const file = yield* from === 0 ? this.disk.create(path) : this.disk.openExisting(path)
      yield* Effect.ensuring(Effect.andThen(file.write(zeros(size), from), file.sync), file.close)
      this.add(path, from + size)
    })
    // Also the file that has just been created and is not listed.
    const giveUp = Effect.suspend(() => Effect.andThen(Effect.ignore(this.disk.remove(this.freePath)), this.removeAll))
    return Effect.suspend(() => this.isFree ? this.use(Effect.catch(write, () => giveUp)) : Effect.void)
  }

  /** Removes the file of a segment, whose messages are all finished, or keeps it. */
  reclaim({ allocated, path }: Segment): Effect.Effect<void, DiskError> {
    const keep = Effect.gen({ self: this }, function*() {
      // On a full disk, finished segments make space for others.
      if (!(yield* hasSpace(this.disk, this.directory, allocated))) return yield* this.disk.remove(path)
      const to = this.freePath
      yield* this.disk.rename(path, to)
      this.add(to, allocated)
    })
    return Effect.suspend(() =>
      this.isFree && allocated >= leastBytes && this.files.length < filesMost ? this.use(keep) : this.disk.remove(path)
    )
  }

  /** Gives the next file the name `path`. Returns its size in bytes; 0 without a spare file. */
  take(path: string): Effect.Effect<number> {
    return Effect.andThen(
      this.isIdle.await,
      Effect.suspend(() => {
        const [next, ...others] = this.files
        if (next === undefined || this.isClosed) return Effect.succeed(0)
        this.files = others
        return Effect.orElseSucceed(Effect.as(this.disk.rename(next.path, path), next.allocated), () => 0)
      })
    )
  }

  private get removeAll(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { files } = this
      this.files = []
      return Effect.forEach(files, ({ path }) => Effect.ignore(this.disk.remove(path)), { discard: true })
    })
  }

  /** Removes the files, to give their space back. */
  get drop(): Effect.Effect<void> {
    return Effect.andThen(this.isIdle.await, this.removeAll)
  }

  /** Removes the files and makes no other. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosed = true
      return this.drop
    })
  }
}
