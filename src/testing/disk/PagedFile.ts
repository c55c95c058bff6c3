/**
 * The content of a file in memory, with the earlier contents of each page that is not synced. A power loss chooses among them:
 * an operating system may write a page at any time before the sync, and pages in any order.
 */
import type { Fate } from "./Fate.ts"

/** The unit that the operating system writes. */
const pageBytes = 4096
/** The unit that a disk writes as a whole. */
const sectorBytes = 512
/** Earlier contents kept for a page. More would cost memory without finding other defects. */
const maxVersions = 4
/** Earlier sizes kept for a file. */
const maxSizes = 8

/** Not modified, because pages share it. */
const zeroPage = Buffer.alloc(pageBytes)

const pageAt = (page: number, bytes: Buffer): Buffer => bytes.subarray(page * pageBytes, (page + 1) * pageBytes)

/** Adds a value; beyond `limit` the second oldest is dropped, because the oldest is the synced one. */
const remember = <A>(values: Array<A>, value: A, limit: number): void => {
  if (values.length >= limit) values.splice(1, 1)
  values.push(value)
}

/** Changes since a sync began, up to the begin of the next one. */
export interface Changes {
  /** The contents of each changed page before its changes, the oldest first. */
  readonly pages: Map<number, Array<Buffer>>
  /** The sizes after each change of the size. */
  readonly sizes: Array<number>
  /** The size when the sync of these changes began. */
  size: number
  /** Whether the sync is one of all pages, which waits for earlier syncs. */
  isWhole: boolean
}

const noChanges = (): Changes => ({ pages: new Map(), sizes: [], size: 0, isWhole: true })

export class PagedFile {
  /** Zero beyond `size`; the length is a multiple of the page size. */
  private bytes = Buffer.alloc(0)
  private length = 0
  private syncedLength = 0
  /** Changes of running syncs, the oldest first, and last the changes since. */
  private changes: Array<Changes> = [noChanges()]
  /** Pages of failed syncs. Like Linux, later syncs do not write them unless they are written again. */
  private readonly lost = new Map<number, Array<Buffer>>()
  private readonly unreadable = new Set<{ readonly from: number; readonly to: number }>()

  /** A synced file. */
  static from(content: Uint8Array): PagedFile {
    const file = new PagedFile()
    file.write(content, 0)
    file.completeSync(file.beginSync())
    return file
  }

  get size(): number {
    return this.length
  }

  /** A copy of the content. */
  content(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length))
  }

  /** Copies bytes from `position` to `buffer` and returns their number; `undefined` if a part of them is unreadable. */
  read(buffer: Uint8Array, position: number): number | undefined {
    const end = Math.min(this.length, position + buffer.length)
    for (const { from, to } of this.unreadable) if (from < end && position < to) return undefined
    return position >= end ? 0 : this.bytes.copy(buffer, 0, position, end)
  }

  /** Makes reads of a part of the range fail, until the returned function is called. */
  failReads(from: number, to: number): () => void {
    const range = { from, to }
    this.unreadable.add(range)
    return () => void this.unreadable.delete(range)
  }

  write(content: Uint8Array, position: number): void {
    if (content.length === 0) return
    const end = position + content.length
    this.reserve(end)
    this.touch(position, end)
    this.bytes.set(content, position)
    if (end > this.length) this.resize(end)
  }

  /** Cuts the file, or fills it with zeros up to `size`. */
  truncate(size: number): void {
    if (size === this.length) return
    if (size < this.length) {
      this.touch(size, this.length)
      this.bytes.fill(0, size, this.length)
    } else this.reserve(size)
    this.resize(size)
  }

  /** Begins a sync of all changes, or of the pages of a range; later changes are not part of it. */
  beginSync(from = 0, to = Infinity): Changes {
    const current = this.current()
    let synced = current
    if (from === 0 && to === Infinity) this.changes.push(noChanges())
    else {
      synced = { pages: new Map(), sizes: current.sizes.splice(0), size: 0, isWhole: false }
      for (const [page, versions] of current.pages) {
        if (page * pageBytes >= to || (page + 1) * pageBytes <= from) continue
        synced.pages.set(page, versions)
        current.pages.delete(page)
      }
      this.changes.splice(-1, 0, synced)
    }
    synced.size = this.length
    return synced
  }

  /** Makes changes durable. */
  completeSync(synced: Changes): void {
    const index = this.changes.indexOf(synced)
    // A later sync that has completed included these changes.
    if (index < 0) return
    const earlier = this.changes.slice(0, index)
    const pages = synced.isWhole ? [synced, ...earlier].flatMap((each) => [...each.pages.keys()]) : synced.pages.keys()
    for (const page of pages) {
      this.lost.delete(page)
      for (const each of earlier) each.pages.delete(page)
    }
    for (const each of earlier) each.sizes.length = 0
    this.changes.splice(index, 1)
    this.syncedLength = synced.size
    // Pages that were cut off do not come back when the file grows.
    for (const page of this.lost.keys()) if (page * pageBytes >= synced.size) this.lost.delete(page)
  }

  /** Leaves changes without a sync: their pages are lost at a power loss, although reads return them and later syncs succeed. */
  failSync(synced: Changes): void {
    const index = this.changes.indexOf(synced)
    if (index < 0) return
    for (const [page, versions] of synced.pages) {
      const all = [...this.lost.get(page) ?? []]
      for (const { pages } of this.changes.slice(0, index)) {
        all.push(...pages.get(page) ?? [])
        pages.delete(page)
      }
      this.lost.set(page, [...all, ...versions])
    }
    // The size belongs to the metadata, which the next sync writes.
    this.changes[index + 1]?.sizes.unshift(...synced.sizes)
    this.changes.splice(index, 1)
  }

  /** Flips a bit on the disk, in all contents that may survive. */
  flipBit(position: number, bit: number): void {
    if (position < 0 || position >= this.length) {
      throw new RangeError(`cannot flip a bit at ${position}: the file has ${this.length} bytes`)
    }
    const flip = (page: Buffer): Buffer => {
      const flipped = Buffer.from(page)
      flipped[position % pageBytes] = (flipped[position % pageBytes] ?? 0) ^ (1 << bit)
      return flipped
    }
    const page = Math.floor(position / pageBytes)
    for (const pages of [this.lost, ...this.changes.map((changes) => changes.pages)]) {
      const versions = pages.get(page)
      if (versions !== undefined) pages.set(page, versions.map(flip))
    }
    pageAt(page, this.bytes).set(flip(pageAt(page, this.bytes)))
  }

  /** Leaves of each un-synced page and of the size one that it had since the last sync. The result is durable. */
  losePower(fate: Fate): void {
    const pages = new Map<number, Array<Buffer>>()
    for (const changed of [this.lost, ...this.changes.map((changes) => changes.pages)]) {
      for (const [page, versions] of changed) pages.set(page, [...pages.get(page) ?? [], ...versions])
    }
    for (const [page, earlier] of pages) {
      const target = pageAt(page, this.bytes)
      const versions = [...earlier, Buffer.from(target)]
      const step = fate.tears() ? sectorBytes : pageBytes
      for (let at = 0; at < pageBytes; at += step) {
        versions[fate.page(versions.length)]?.copy(target, at, at, at + step)
      }
    }
    const sizes = [this.syncedLength, ...this.changes.flatMap((changes) => changes.sizes)]
    this.length = sizes[fate.size(sizes.length)] ?? this.syncedLength
    this.bytes.fill(0, this.length)
    this.syncedLength = this.length
    this.changes = [noChanges()]
    this.lost.clear()
  }

  private current(): Changes {
    const last = this.changes.at(-1)
    if (last !== undefined) return last
    const added = noChanges()
    this.changes.push(added)
    return added
  }

  private resize(size: number): void {
    this.length = size
    remember(this.current().sizes, size, maxSizes)
  }

  /** Doubles the capacity, so that appending does not copy the file each time. */
  private reserve(end: number): void {
    if (end <= this.bytes.length) return
    const pages = Math.ceil(Math.max(end, this.bytes.length * 2) / pageBytes)
    const grown = Buffer.alloc(pages * pageBytes)
    this.bytes.copy(grown)
    this.bytes = grown
  }

  /** Keeps the contents of the pages of a range before they change. */
  private touch(from: number, to: number): void {
    const { pages } = this.current()
    for (let page = Math.floor(from / pageBytes); page * pageBytes < to; page++) {
      const before = page * pageBytes >= this.length ? zeroPage : Buffer.from(pageAt(page, this.bytes))
      const versions = pages.get(page)
      if (versions === undefined) pages.set(page, [before])
      else remember(versions, before, maxVersions)
    }
  }
}
