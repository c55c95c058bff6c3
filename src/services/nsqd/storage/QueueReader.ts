/**
 * Reads the data files of a disk queue in order and verifies records by their checksums. Damaged records are skipped;
 * the next record is found by its checksum, even if bytes are missing or a record's size is wrong.
 */
import { Effect } from "effect"
import {
  blockSize,
  decodeBlocks,
  findKnown,
  KnownRecords,
  walkVerified
} from "../../../protocol/storage/RecordChecksums.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"

export interface OpenReader {
  readonly number: number
  readonly file: DiskFile
  readonly sums: OpenSums
  /** For a completed file, the size of its valid part. */
  size: number | undefined
}

/** The checksums of the file being read. */
interface OpenSums {
  /** `undefined` if the file does not exist or cannot be read. */
  file: DiskFile | undefined
  /** Bytes already read into `known`. */
  position: number
  /** The known records from the read position on. */
  readonly known: KnownRecords
  /** The read position. */
  offset: number
  /** How far records have moved from their written position; negative if bytes are missing. */
  shift: number
}

/** Successfully read records. */
export interface ReadRecords {
  readonly _tag: "Records"
  readonly bytes: Buffer
  /** The start of each record in `bytes`, and the end of the last one. */
  readonly starts: Int32Array
}

/** A part that cannot be delivered; reading continues at `next`. */
export interface Damage {
  readonly _tag: "Damage"
  readonly problem: string
  readonly next: number
}

interface FilePaths {
  readonly data: (file: number) => string
  readonly sums: (file: number) => string
}

/** The size of the next record's header: the minimum for a read. */
const minReadBytes = 4

/** Bytes per read of a checksum file. */
const sumsBytes = 64 * 1024

/** Bytes per step of the search for a verifiable record after damage. */
const searchBytes = 4 * 1024 * 1024

export class QueueReader {
  private readonly disk: Disk["Service"]
  private readonly paths: FilePaths
  private readonly maxMsgSize: number
  private readonly allocate: (size: number) => Buffer
  private open: OpenReader | undefined

  /** `allocate` returns the bytes for records, which are in use until the next read at least. Default: they are new. */
  constructor(
    disk: Disk["Service"],
    paths: FilePaths,
    maxMsgSize: number,
    allocate: (size: number) => Buffer = Buffer.allocUnsafeSlow
  ) {
    this.disk = disk
    this.paths = paths
    this.maxMsgSize = maxMsgSize
    this.allocate = allocate
  }

  /** Opens the data file `number` for reading. */
  fileFor(number: number): Effect.Effect<OpenReader, DiskError> {
    if (this.open !== undefined && this.open.number === number) return Effect.succeed(this.open)
    return Effect.andThen(
      this.close(),
      Effect.map(this.disk.open(this.paths.data(number)), (file): OpenReader => {
        const sums = { file: undefined, position: 0, known: new KnownRecords(), offset: 0, shift: 0 }
        return this.open = { number, file, sums, size: undefined }
      })
    )
  }

  /** The size of a completed file. */
  sizeOf(opened: OpenReader): Effect.Effect<number, DiskError> {
    if (opened.size !== undefined) return Effect.succeed(opened.size)
    return Effect.map(opened.file.size, (size) => opened.size = size)
  }

  /**
   * Reads whole records from `from` on: at least one, about `maxBytes`, not beyond `end`; or returns the damage at
   * `from`. Records from `unverifiedFrom` on have no checksums on disk yet.
   */
  read(
    opened: OpenReader,
    from: number,
    end: number,
    maxBytes: number,
    unverifiedFrom: number
  ): Effect.Effect<ReadRecords | Damage, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { file, sums } = opened
      let length = Math.min(Math.max(maxBytes, minReadBytes), end - from)
      if (from < unverifiedFrom) yield* this.loadSums(opened, from, from + length)
      else sums.known.dropBefore(Infinity)
      let bytes = this.allocate(length)
      let walk = walkVerified(bytes, yield* file.read(bytes, from), from, sums.known, this.maxMsgSize)
      const { next, problem } = walk
      if (walk.starts.length === 1 && problem === undefined && next !== undefined && from + 4 + next <= end) {
        length = 4 + next
        bytes = this.allocate(length)
        walk = walkVerified(bytes, yield* file.read(bytes, from), from, sums.known, this.maxMsgSize)
      }
      if (walk.starts.length > 1) return { _tag: "Records", bytes, starts: walk.starts }
      return yield* this.resume(opened, from, end, walk.problem ?? "unexpected EOF", walk.next)
    })
  }

  /** Finds the position after a record that cannot be delivered. `size` is its size, if known. */
  private resume(
    opened: OpenReader,
    from: number,
    end: number,
    problem: string,
    size: number | undefined
  ): Effect.Effect<Damage, DiskError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.loadSums(opened, from, from + searchBytes)
      const { known } = opened.sums
      const isKnown = known.offsets[0] === from
      const after = isKnown && size !== undefined ? from + 4 + size : known.offsets[0]
      const isAfterKnown = known.offsets[isKnown ? 1 : 0] === after
      if (after !== undefined && after < end) {
        // Mostly the next record is where it was written. Without its checksum there is nothing to search for.
        if (!isAfterKnown) return { _tag: "Damage", problem, next: after }
        const found = yield* this.search(opened, after, Math.min(end, after + 4 + known.sizes[isKnown ? 1 : 0]!))
        if (found?.next === after && found.shift === 0) return { _tag: "Damage", problem, next: after }
      }
      const found = yield* this.search(opened, from, end)
      if (found === undefined) return { _tag: "Damage", problem, next: end }
      opened.sums.shift += found.shift
      known.shift(found.shift)
      return { _tag: "Damage", problem, next: found.next }
    })
  }

  /** Finds the first verifiable record between `from` and `end`, and how far it has moved. */
  private search({ file, sums: { known } }: OpenReader, from: number, end: number) {
    return Effect.gen({ self: this }, function*() {
      if (known.offsets.length === 0) return undefined
      for (let at = from; at < end; at += searchBytes) {
        // Pieces overlap, so that a record across two pieces is found in the first one.
        const bytes = Buffer.allocUnsafeSlow(Math.min(searchBytes + 4 + this.maxMsgSize, end - at))
        const found = findKnown(bytes, 0, yield* file.read(bytes, at), known)
        if (found === undefined) continue
        const next = at + found.at
        return { next, shift: next - known.offsets[found.index]! }
      }
      return undefined
    })
  }

  /** Why a file that was read to `end` is incomplete; `undefined` if it is complete, as far as known. */
  missingAt(opened: OpenReader, end: number): Effect.Effect<string | undefined> {
    return Effect.map(
      this.missingFrom(opened, end),
      (missing) => missing === 0 ? undefined : `unexpected EOF, ${missing} messages are missing`
    )
  }

  /** Number of records with a checksum that start at `end` or later, where the file has none. */
  missingFrom(opened: OpenReader, end: number): Effect.Effect<number> {
    return Effect.map(this.loadSums(opened, end, Infinity), () => opened.sums.known.offsets.length)
  }

  /** Number of records with a checksum that damage from `from` to `next`, just found by `read`, makes unreadable. */
  lostBetween(opened: OpenReader, from: number, next: number): Effect.Effect<number> {
    return Effect.suspend(() => {
      const { known } = opened.sums
      const isLoaded = known.end >= next
      return Effect.map(isLoaded ? Effect.void : this.loadSums(opened, from, next), () => {
        const count = known.offsets.findIndex((offset) => offset >= next)
        return count < 0 ? known.offsets.length : count
      })
    })
  }

  /** Reads the available checksums of records from `from` to `to`. */
  private loadSums(opened: OpenReader, from: number, to: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { sums } = opened
      if (from < sums.offset) {
        sums.position = 0
        sums.shift = 0
        sums.known.dropBefore(Infinity)
      }
      sums.offset = from
      sums.known.dropBefore(from)
      sums.file ??= yield* this.disk.open(this.paths.sums(opened.number))
      while (sums.known.end < to) {
        let bytes: Buffer = Buffer.allocUnsafeSlow(sumsBytes)
        let got = yield* sums.file.read(bytes, sums.position)
        let done = decodeBlocks(bytes.subarray(0, got), sums.known, sums.shift)
        if (done === 0 && got === sumsBytes) {
          // The block is larger than one read.
          bytes = Buffer.allocUnsafeSlow(blockSize(bytes))
          got = yield* sums.file.read(bytes, sums.position)
          done = decodeBlocks(bytes.subarray(0, got), sums.known, sums.shift)
        }
        sums.known.dropBefore(from)
        sums.position += done
        if (done === 0) return
      }
    }).pipe(
      Effect.catch((error) =>
        error.code === "ENOENT"
          ? Effect.void
          : Effect.logWarning(`failed to read checksums, messages are not verified - ${error.message}`)
      )
    )
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { open } = this
      this.open = undefined
      if (open === undefined) return Effect.void
      return Effect.andThen(open.file.close, open.sums.file?.close ?? Effect.void)
    })
  }
}
