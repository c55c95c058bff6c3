/**
 * Writes the checksums of a disk queue's records (docs/protocol/files.md#checksum-files). They are collected in
 * memory and written with the queue's state, so that publishers do not wait for them. Records whose checksums are
 * lost in a kill count as unverified.
 */
import { Effect } from "effect"
import { blockAlignment, encodeBlock } from "../../../protocol/storage/RecordChecksums.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { RecordRun } from "./BackendQueue.ts"

interface PendingBlock {
  readonly file: number
  /** The position of its first record in the data file. */
  readonly offset: number
  readonly block: Buffer
}

/** Limit for checksums kept while the disk refuses them; the oldest are dropped. */
const pendingBytesMax = 1024 * 1024

export class ChecksumWriter {
  private readonly disk: Disk["Service"]
  private readonly pathOf: (file: number) => string
  private pending: Array<PendingBlock> = []
  private pendingBytes = 0
  private open: { readonly number: number; readonly file: DiskFile; end: number } | undefined

  constructor(disk: Disk["Service"], pathOf: (file: number) => string) {
    this.disk = disk
    this.pathOf = pathOf
  }

  /** Adds the checksums of records written to a data file at `offset`. */
  add(file: number, offset: number, runs: ReadonlyArray<RecordRun>): void {
    const block = encodeBlock(offset, runs)
    this.pending.push({ file, offset, block })
    this.pendingBytes += block.length
    while (this.pendingBytes > pendingBytesMax && this.pending.length > 1) {
      this.pendingBytes -= this.pending.shift()!.block.length
    }
  }

  get hasPending(): boolean {
    return this.pending.length > 0
  }

  /** The position from which a data file's records have no checksums on disk yet. */
  pendingFrom(file: number): number {
    for (const pending of this.pending) if (pending.file === file) return pending.offset
    return Infinity
  }

  /** Forgets the records from a position on, which a failed write took back. */
  takeBack(file: number, offset: number): void {
    this.keep((pending) => pending.file < file || (pending.file === file && pending.offset < offset))
  }

  /** Forgets a removed data file. */
  drop(file: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.keep((pending) => pending.file !== file)
      return this.open?.number === file ? this.close() : Effect.void
    })
  }

  private keep(isKept: (pending: PendingBlock) => boolean): void {
    this.pending = this.pending.filter(isKept)
    this.pendingBytes = this.pending.reduce((sum, { block }) => sum + block.length, 0)
  }

  /** Passes everything to the operating system. After a failure it stays pending. */
  flush(): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      while (this.pending.length > 0) {
        const { file } = this.pending[0]!
        const count = this.pending.findIndex((pending) => pending.file !== file)
        const blocks = (count < 0 ? this.pending : this.pending.slice(0, count)).map(({ block }) => block)
        const open = yield* this.openFile(file)
        yield* open.file.write(blocks, open.end)
        const size = blocks.reduce((sum, block) => sum + block.length, 0)
        open.end += size
        this.pending = this.pending.slice(blocks.length)
        this.pendingBytes -= size
      }
    })
  }

  private openFile(number: number) {
    return Effect.gen({ self: this }, function*() {
      if (this.open !== undefined && this.open.number === number) return this.open
      yield* this.close()
      const file = yield* this.disk.create(this.pathOf(number))
      const size = yield* Effect.onError(file.size, () => file.close)
      // A block that a kill cut short is skipped by readers.
      const end = Math.ceil(size / blockAlignment) * blockAlignment
      return this.open = { number, file, end }
    })
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { open } = this
      this.open = undefined
      return open === undefined ? Effect.void : open.file.close
    })
  }
}
