/**
 * Shows messages of topics without a log, and of their channels, without consuming them: first those in memory, in the order of their
 * ids, then those that wait in the files of the disk queue. The places of pages are those of `BrowseCursor`.
 */
import { Effect } from "effect"
import { readHeaders } from "../../../protocol/client/Headers.ts"
import {
  frameBodyStart,
  frameHeaders,
  frameIdOffset,
  frameTimestampOffset,
  hasHeadersAt,
  messageFrameHeaderSize,
  recordHeaderSize
} from "../../../protocol/client/MessageBatch.ts"
import type { QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import { type Time, wallOrigin } from "../../core/Time.ts"
import { finish, type Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { QueueView, ViewedRun } from "../storage/BackendQueue.ts"
import { type BrowseCursor, encode, isAtEnd } from "./BrowseCursor.ts"
import { type Browsed, type BrowsedPage, isFrom, pageBytes, type PageQuery } from "./Browsing.ts"
import type { MemoryContents } from "./MemoryContents.ts"
import { type InMemory, nextInMemory } from "./NextInMemory.ts"

/** Messages of the memory that are looked for at once, at most: each search passes over all of them. */
const searchedAtOnce = 4096
/** Bytes of bodies that a step passes over; each message counts as some. */
const bytesPerStep = 256 * 1024
const bytesPerMessage = 1024
/** Records of a disk queue that a step passes over. */
const messagesPerStep = 512
/** Bytes per read of the disk queue. */
const blockBytes = 256 * 1024
/** Before the first record of a disk queue. */
const beginning: QueuePosition = { file: 0, offset: 0 }
/** Offsets in a record of a disk queue: size, timestamp, attempts, id. */
const recordTimestampOffset = 4
const recordAttemptsOffset = 12
const recordIdOffset = 14

/** A page that is being filled. */
class Page {
  readonly messages: Array<Browsed> = []
  scanned = 0
  private bytes = 0
  private readonly query: PageQuery
  private readonly time: Time
  private readonly until: number
  /** Added to a time in monotonic ms. */
  readonly wallOrigin: number

  constructor(query: PageQuery, time: Time) {
    this.query = query
    this.time = time
    this.wallOrigin = wallOrigin(time)
    this.until = time.monotonicMillis() + query.budget
  }

  get isFull(): boolean {
    return this.messages.length >= this.query.limit || this.bytes >= pageBytes
  }
  get isLate(): boolean {
    return this.time.monotonicMillis() >= this.until
  }

  add(body: Buffer, message: Omit<Browsed, "body" | "bodySize" | "sequence">): void {
    // A copy, because what it is a part of may be large.
    const shown = Buffer.from(body.subarray(0, this.query.bodyBytes))
    this.bytes += shown.length
    this.messages.push({ ...message, sequence: undefined, bodySize: body.length, body: shown })
  }

  /** The page, with the place that the next one starts from. */
  ending(next: BrowseCursor | undefined): BrowsedPage<string, Browsed> {
    const { messages, scanned } = this
    return { messages, next: next === undefined ? undefined : encode(next), scanned }
  }
}

/**
 * Reads the next page of messages; `from` is the place of the page before. `contents` are those of a topic or a channel; of several, whose
 * messages are shown once, only those in memory are. Completes with fewer messages than wanted when its time is over.
 */
export const browseMemory = Effect.fnUntraced(function*(
  contents: ReadonlyArray<MemoryContents>,
  query: PageQuery,
  from: BrowseCursor | undefined,
  time: Time,
  turns: Turns
): Effect.fn.Return<BrowsedPage<string, Browsed>, StorageError> {
  const { origin, states } = query
  const [only] = contents
  // Records on disk have no headers, and therefore no origin.
  const isOnDisk = contents.length === 1 && origin === undefined && (states === undefined || states.has("waiting"))
  const view = isOnDisk ? only?.places.backend?.view : undefined
  const end = from?.end ?? view?.tail ?? beginning
  const page = new Page(query, time)
  if (from?.place === undefined) {
    const next = yield* fromMemory(contents, query, { after: from?.after, place: undefined, end }, page, turns)
    if (next !== undefined) return page.ending(next)
  }
  return page.ending(view && (yield* fromDisk(view, query, from?.place ?? beginning, end, page, turns)))
})

/** Adds messages in memory to the page; returns the place of the next page if it is full or its time is over. */
const fromMemory = Effect.fnUntraced(function*(
  contents: ReadonlyArray<MemoryContents>,
  query: PageQuery,
  from: BrowseCursor,
  page: Page,
  turns: Turns
): Effect.fn.Return<BrowseCursor | undefined> {
  let { after } = from
  for (let most = query.limit + 1;; most = Math.min(4 * most, searchedAtOnce)) {
    const { isComplete, messages } = yield* finish(turns, nextInMemory(contents, query.states, after, most))
    const count = yield* finish(turns, addFound(messages, query, page))
    after = messages[count - 1]?.id ?? after
    if (count === messages.length && isComplete) return undefined
    if (count < messages.length || page.isLate) return { ...from, after }
  }
})

/** Adds the wanted ones of these messages in steps; returns how many of them were looked at before the page ended. */
function* addFound(
  messages: ReadonlyArray<InMemory>,
  { filter, origin }: PageQuery,
  page: Page
): Generator<void, number> {
  let passed = 0
  for (const [i, message] of messages.entries()) {
    const { frames, position } = message
    const body = frames.subarray(frameBodyStart(frames, position), position + 4 + frames.readInt32BE(position))
    const isCandidate = (origin === undefined || isFrom(origin, frameHeaders(frames, position))) &&
      filter.search(body)(0) >= 0
    passed += bytesPerMessage + body.length
    if (passed >= bytesPerStep) {
      passed = 0
      yield
    }
    const isWanted = isCandidate && filter.matches(body)
    if (isCandidate) yield
    if (isWanted && page.isFull) return i
    page.scanned++
    if (isWanted) page.add(body, shownInMemory(message, page))
    else if (isCandidate && page.isLate) return i + 1
  }
  return messages.length
}

const shownInMemory = ({ attempts, due, frames, holder, position, state }: InMemory, { wallOrigin }: Page) => ({
  state,
  id: frames.toString("latin1", position + frameIdOffset, position + messageFrameHeaderSize),
  timestamp: frames.readBigInt64BE(position + frameTimestampOffset),
  attempts,
  due: due === undefined ? undefined : Math.ceil(due + wallOrigin),
  held: holder,
  headers: hasHeadersAt(frames, position) ? readHeaders(frameHeaders(frames, position)) : undefined
})

/** Adds messages in the disk queue to the page; returns the place of the next page unless nothing is behind it. */
const fromDisk = Effect.fnUntraced(
  function*(
    view: QueueView,
    { filter }: PageQuery,
    from: QueuePosition,
    end: QueuePosition,
    page: Page,
    turns: Turns
  ) {
    const reader = yield* view.open
    let place = from
    while (true) {
      const run = yield* reader.read(place, end, blockBytes)
      if (run === undefined) return undefined
      const { place: { file, offset }, starts } = run
      const count = yield* finish(turns, addRun(run, filter, page))
      page.scanned += count
      place = { file, offset: offset + starts[count]! }
      if (count < starts.length - 1 || page.isLate) break
      if (turns.isOver()) yield* turns.next
    }
    return isAtEnd(place, end) ? undefined : { after: undefined, place, end }
  },
  Effect.scoped
)

/** Adds the wanted messages of a run in steps; returns how many of them were looked at before the page ended. */
function* addRun({ bytes, starts }: ViewedRun, filter: PageQuery["filter"], page: Page): Generator<void, number> {
  const count = starts.length - 1
  const candidates = filter.search(bytes)
  let candidate = -1
  for (let i = 0; i < count; i++) {
    if (i % messagesPerStep === 0) yield
    const start = starts[i]!
    if (candidate < start) candidate = candidates(start)
    if (candidate < 0) break
    if (candidate >= starts[i + 1]!) continue
    const body = bytes.subarray(start + recordHeaderSize, starts[i + 1])
    const isWanted = filter.matches(body)
    yield
    if (!isWanted) {
      if (page.isLate) return i + 1
      continue
    }
    if (page.isFull) return i
    page.add(body, {
      state: "waiting",
      id: bytes.toString("latin1", start + recordIdOffset, start + recordHeaderSize),
      timestamp: bytes.readBigInt64BE(start + recordTimestampOffset),
      attempts: bytes.readUInt16BE(start + recordAttemptsOffset),
      due: undefined,
      held: undefined,
      headers: undefined
    })
  }
  return count
}
