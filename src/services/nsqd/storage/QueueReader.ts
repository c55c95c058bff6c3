/**
 * Reads the data files of a disk queue, one after another, and compares them with their checksums. A record that differs is
 * skipped; the records after it are found by their checksums, also when bytes are missing or the size of a record is wrong.
 */
import { Effect } from "effect"
import {
  blockSize,
  decodeBlocks,
  findKnown,
  KnownRecords,
  walkVerified
} from "../../../protocol/storage/RecordChecksums.ts"
import type { Disk, DiskError, DiskFile } from "./Disk.ts"

export interface OpenReader {
  readonly number: number
  readonly file: DiskFile
  readonly sums: OpenSums
  /** Once the file is finished, how much of it is valid. */
  size: number | undefined
}

/** The checksums of the file that is being read. */
interface OpenSums {
  /** `undefined` when there is no such file, or it cannot be read. */
  file: DiskFile | undefined
  /** How much of it has been read into `known`. */
  position: number
  /** The records from where reading is, as far as their checksums have been read. */
  readonly known: KnownRecords
  /** Where reading is. */
  offset: number
  /** How much later the records of the data file lie than when they were written; negative when bytes are missing. */
  shift: number
}

/** Records that were read. */
export interface ReadRecords {
  readonly _tag: "Records"
  readonly bytes: Buffer
  /** Where each of them starts in `bytes`, and where the last one ends. */
  readonly starts: Int32Array
}

/** Something that cannot be delivered: reading goes on at `next`. */
export interface Damage {
  readonly _tag: "Damage"
  readonly problem: string
  readonly next: number
}

interface FilePaths {
  readonly data: (file: number) => string
  readonly sums: (file: number) => string
}

/** A read shows at least how large the next record is. */
const minReadBytes = 4

/** Bytes of one read of a checksum file. */
const sumsBytes = 64 * 1024

/** How far ahead a record that can be verified is searched for after damage, at a time. */
const searchBytes = 4 * 1024 * 1024

export class QueueReader {
  private readonly disk: Disk["Service"]
  private readonly paths: FilePaths
  private readonly maxMsgSize: number
  private open: OpenReader | undefined

  constructor(disk: Disk["Service"], paths: FilePaths, maxMsgSize: number) {
    this.disk = disk
    this.paths = paths
    this.maxMsgSize = maxMsgSize
  }

  /** The data file `number`, opened for reading. */
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

  /** The size of a file that is not written any more. */
  sizeOf(opened: OpenReader): Effect.Effect<number, DiskError> {
    if (opened.size !== undefined) return Effect.succeed(opened.size)
    return Effect.map(opened.file.size, (size) => opened.size = size)
  }

  /**
   * Whole records from `from` on, at least one, about `maxBytes` and not beyond `end`; or what is wrong with the next one.
   * Records from `unverifiedFrom` on have no checksums on disk yet.
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
      let bytes: Buffer = Buffer.allocUnsafeSlow(length)
      let walk = walkVerified(bytes, yield* file.read(bytes, from), from, sums.known, this.maxMsgSize)
      const { next, problem } = walk
      if (walk.starts.length === 1 && problem === undefined && next !== undefined && from + 4 + next <= end) {
        length = 4 + next
        bytes = Buffer.allocUnsafeSlow(length)
        walk = walkVerified(bytes, yield* file.read(bytes, from), from, sums.known, this.maxMsgSize)
      }
      if (walk.starts.length > 1) return { _tag: "Records", bytes, starts: walk.starts }
      return yield* this.resume(opened, from, end, walk.problem ?? "unexpected EOF", walk.next)
    })
  }

  /** Finds where to go on after a record that cannot be delivered. `size` is how large it is, as far as that is known. */
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
        // Mostly the next record lies where it was written. If nothing is known of it, there is nothing to search for.
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

  /** Finds the first record that can be verified, at any position from `from` to `end`, and how far it has moved. */
  private search({ file, sums: { known } }: OpenReader, from: number, end: number) {
    return Effect.gen({ self: this }, function*() {
      if (known.offsets.length === 0) return undefined
      for (let at = from; at < end; at += searchBytes) {
        // A record that lies across two pieces is found in the first one.
        const bytes = Buffer.allocUnsafeSlow(Math.min(searchBytes + 4 + this.maxMsgSize, end - at))
        const found = findKnown(bytes, 0, yield* file.read(bytes, at), known)
        if (found === undefined) continue
        const next = at + found.at
        return { next, shift: next - known.offsets[found.index]! }
      }
      return undefined
    })
  }

  /** Why a file that was read to its `end` is not complete; `undefined` when it is, as far as that is known. */
  missingAt(opened: OpenReader, end: number): Effect.Effect<string | undefined> {
    return Effect.map(this.loadSums(opened, end, Infinity), () => {
      const missing = opened.sums.known.offsets.length
      return missing === 0 ? undefined : `unexpected EOF, ${missing} messages are missing`
    })
  }

  /** Reads the checksums of records from `from` to `to`, as far as there are some. */
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
          // A block larger than that.
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
