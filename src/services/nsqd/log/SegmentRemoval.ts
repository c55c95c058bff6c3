/**
 * Removes the segments of a log that no channel needs any more and that are not retained. A segment is forgotten first; its file is removed when the state
 * says durably that it is finished, and after a failure with the next ones.
 */
import { Effect } from "effect"
import type { DiskError } from "../disk/Disk.ts"
import type { LogReading } from "./LogReading.ts"
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
  readonly writer: SegmentWriter
  readonly reading: LogReading
  /** Which finished segments are kept while there is space. */
  readonly retention: Retention
  /** Why messages are refused; `undefined` if there is space. */
  readonly isFull: () => boolean
  /** Runs work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** Whether no channel needs the messages from `from` up to, but not including, `to`, and no new one will. */
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
    const { fork, isDoneWith, isFull, label, reading, retention, segments, trimmed, writer } = this.host
    const { all, last } = segments
    const done = all.filter(({ end, first }) => isDoneWith(first, end))
    const kept = isFull() ? new Set() : retention.kept(done)
    const finished = new Set(
      done.filter((segment) => !kept.has(segment) && (segment !== last || this.leavesLast(segment)))
    )
    if (finished.size === 0 && this.removed.size === 0) return undefined
    // The next commit must not be written to a segment that is about to be removed.
    if (last !== undefined && finished.has(last)) fork(writer.leave())
    segments.remove(finished)
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
