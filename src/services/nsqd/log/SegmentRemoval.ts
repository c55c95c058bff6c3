/**
 * Removes the segments of a log that no channel needs any more and that are not retained. A segment is forgotten first; its file is
 * removed when the state says durably that it is finished, and after a failure with the next ones.
 *
 * Each change of the state looks for such segments, and there may be ten thousand: only those with newly finished messages are looked at,
 * the oldest of the retained ones, and the last one.
 */
import { Effect } from "effect"
import type { DiskError } from "../disk/Disk.ts"
import type { LogReading } from "./LogReading.ts"
import type { NewlyFinished } from "./NewlyFinished.ts"
import type { Retention } from "./Retention.ts"
import type { Segment, Segments } from "./Segment.ts"
import type { SegmentWriter } from "./SegmentWriter.ts"

/**
 * A segment whose messages are all finished is left when it has this size or half of the largest one, so that an idle topic
 * takes little space.
 */
const idleSegmentBytes = 1024 * 1024

/** What the removal of segments needs from their log. */
export interface RemovalHost {
  /** The log's name in log lines. */
  readonly label: string
  /** A segment is closed when it would become larger, in bytes. */
  readonly segmentBytes: number
  readonly segments: Segments
  readonly newlyFinished: NewlyFinished
  readonly writer: Pick<SegmentWriter, "isPreparing" | "leave" | "reclaim">
  readonly reading: Pick<LogReading, "alone" | "closeFile">
  /** Which finished segments are kept while there is space. */
  readonly retention: Pick<Retention, "expired">
  /** Why messages are refused; `undefined` if there is space. */
  readonly isFull: () => boolean
  /** Runs work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** All channels may read the messages below this sequence. */
  readonly handed: () => number
  /** Whether no channel needs the handed messages from `from` up to, but not including, `to`, and no new one will. */
  readonly isDoneWith: (from: number, to: number) => boolean
  /** Whether no commit is written or about to be. */
  readonly isIdle: () => boolean
  /** Whether commits fail or are refused, so that each byte of space counts. */
  readonly needsSpace: () => boolean
  /** These segments were forgotten. Adds to the state what the files of the segments have told until now. */
  readonly trimmed: (removed: Iterable<Segment>) => void
}

export class SegmentRemoval {
  private readonly host: RemovalHost
  /** The segments that no channel needs, oldest first, without the last segment of the log. Some of them may be retained. */
  private readonly finished: Array<Segment> = []
  /** The size of these, in bytes, and whether it is known of each of them. */
  private bytes = 0
  private isMeasured = true
  /** Where the last segment began, and to where messages were handed over, when segments were looked at last. */
  private lastFirst = 0
  private handedTo = 0
  /** Segments that no channel needs any more, with files that are removed when the state says so. */
  private readonly removed = new Set<Segment>()

  constructor(host: RemovalHost) {
    this.host = host
  }

  /**
   * Forgets the segments that no channel needs any more. The result removes their files, and runs when the state is durable;
   * `undefined` if every segment is needed.
   */
  removeFinished(): Effect.Effect<void> | undefined {
    const { fork, label, reading, segments, trimmed, writer } = this.host
    this.find()
    const { last } = segments
    const finished = this.expired()
    if (finished.size === 0 && this.removed.size === 0) return undefined
    // The next commit must not be written to a segment that is about to be removed.
    if (last !== undefined && finished.has(last)) fork(writer.leave())
    if (finished.size > 0) segments.remove(finished)
    for (const segment of finished) this.removed.add(segment)
    trimmed(finished)
    // A file that is still read must not get records of another segment.
    return reading.alone(Effect.andThen(
      reading.closeFile,
      Effect.forEach(Array.from(this.removed), (segment) => this.reclaim(segment), { discard: true })
    )).pipe(
      Effect.catch((error) => Effect.logError(`${label}: failed to remove a segment - ${error.message}`))
    )
  }

  /** Finds the segments that no channel needs any more, without the last one. */
  private find(): void {
    const { handed, newlyFinished, segments } = this.host
    const handedTo = handed()
    const lastFirst = segments.last?.first ?? 0
    if (newlyFinished.isAll) {
      // Channels may need finished ones again.
      this.finished.length = 0
      this.isMeasured = false
      newlyFinished.take(() => {})
      this.look(0, Infinity)
    } else {
      newlyFinished.take((from, to) => this.look(from, to))
      if (handedTo > this.handedTo) this.look(this.handedTo, handedTo)
      // The messages of the one that was the last may all have been finished before.
      if (lastFirst > this.lastFirst) this.look(this.lastFirst, lastFirst)
    }
    this.handedTo = handedTo
    this.lastFirst = lastFirst
  }

  /** Looks at the segments that have messages from `from` up to, but not including, `to`. */
  private look(from: number, to: number): void {
    const { all } = this.host.segments
    const last = all.length - 1
    for (let at = this.host.segments.placeOf(from); at < last && all[at]!.first < to; at++) {
      const segment = all[at]!
      if (!this.isFinished(segment)) continue
      const place = this.placeOf(segment)
      if (this.finished[place] === segment) continue
      this.finished.splice(place, 0, segment)
      if (segment.size === undefined) this.isMeasured = false
      else this.bytes += segment.size
    }
  }

  private isFinished({ end, first }: Segment): boolean {
    return end <= this.host.handed() && this.host.isDoneWith(first, end)
  }

  /** The number of finished segments that are older. */
  private placeOf({ first }: Segment): number {
    const { finished } = this
    // They are mostly found in their order.
    let low = (finished.at(-1)?.first ?? -1) < first ? finished.length : 0
    let high = finished.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (finished[middle]!.first < first) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Takes the finished segments that are not retained, and the last segment if it is to be left. */
  private expired(): Set<Segment> {
    const { isFull, retention, segments: { last } } = this.host
    const isLastFinished = last !== undefined && this.isFinished(last)
    this.measure()
    const count = isFull() ? Infinity : retention.expired(this.finished, isLastFinished ? last : undefined, this.bytes)
    const expired = new Set(count > 0 ? this.finished.splice(0, count) : [])
    for (const { size = 0 } of expired) this.bytes -= size
    if (isLastFinished && count > expired.size && this.leavesLast(last)) expired.add(last)
    return expired
  }

  /** Sums up the sizes again while some were not known: those of an earlier process are read later. */
  private measure(): void {
    if (this.isMeasured) return
    this.isMeasured = true
    this.bytes = 0
    for (const { size } of this.finished) {
      if (size === undefined) this.isMeasured = false
      else this.bytes += size
    }
  }

  private reclaim(segment: Segment): Effect.Effect<void, DiskError> {
    return Effect.suspend(() =>
      this.removed.has(segment)
        ? Effect.tap(this.host.writer.reclaim(segment), () => Effect.sync(() => this.removed.delete(segment)))
        : Effect.void
    )
  }

  /** Whether the last segment may be removed: it has grown or its space is needed, and nothing is being written to it. */
  private leavesLast(segment: Segment): boolean {
    const { isIdle, needsSpace, segmentBytes, writer } = this.host
    if (!isIdle() || writer.isPreparing) return false
    return needsSpace() || (segment.size ?? 0) >= Math.min(idleSegmentBytes, segmentBytes / 2)
  }
}
