/**
 * Which finished segments of a log are kept for rewinding (docs/protocol/http.md#rewind): by the age of their newest message, and by
 * their bytes. `measure` reads both from the files of an earlier process.
 */
import { Effect } from "effect"
import { logHeaderSize, readLogHeader } from "../../../protocol/storage/LogRecord.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { Segment, Segments } from "./Segment.ts"

/** How long finished messages are kept. A segment that exceeds one of the limits is removed. */
export interface RetentionLimits {
  /** The age of the newest message of a segment, in ms; `Infinity` for no limit. */
  readonly millis: number
  /** The size of all finished segments, in bytes; `Infinity` for no limit. */
  readonly bytes: number
}

/** What retention needs from its log. */
export interface RetentionHost {
  readonly disk: Disk["Service"]
  readonly epoch: number
  readonly segments: Segments
  /** The wall clock, in ms since the Unix epoch. */
  readonly wallMillis: () => number
}

export class Retention {
  private readonly host: RetentionHost
  /**
   * `undefined` keeps nothing. Set by the topic, whose policies may change at any time. Until then everything is kept: a start may
   * already remove segments, before it is known which of them policies keep.
   */
  limits: () => RetentionLimits | undefined = () => ({ millis: Infinity, bytes: Infinity })

  constructor(host: RetentionHost) {
    this.host = host
  }

  /**
   * Of the finished segments, oldest first, and then `last`, returns how many are not kept, from the oldest one on; `Infinity` if none is
   * kept. `bytes` is the size of those without `last`.
   */
  expired(finished: ReadonlyArray<Segment>, last: Segment | undefined, bytes: number): number {
    const limits = this.limits()
    if (limits === undefined) return Infinity
    const oldest = this.host.wallMillis() - limits.millis
    let left = bytes + (last?.size ?? 0)
    for (let count = 0;; count++) {
      const segment = finished[count] ?? last
      // Without its time a segment is kept until `measure` has read it.
      if (segment === undefined || (left <= limits.bytes && (segment.newest ?? Infinity) >= oldest)) return count
      if (segment === last) return count + 1
      left -= segment.size ?? 0
    }
  }

  /** Reads the sizes and times that this process does not know yet. Segments are removed in order, so that the first error ends it. */
  get measure(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      if (this.limits() === undefined) return Effect.void
      const { all } = this.host.segments
      return Effect.forEach(all, (segment, index) => this.measureSegment(segment, all[index + 1]), { discard: true })
    })
  }

  private measureSegment(segment: Segment, next: Segment | undefined): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      if (segment.size === undefined) segment.size = yield* this.reading(segment, (file) => file.size)
      // The first message of the next segment is hardly younger than the last one of this segment.
      segment.newest ??= (next === undefined ? undefined : yield* this.startOf(next)) ?? this.host.wallMillis()
    })
  }

  /** When the first messages of the segment were accepted, in ms since the Unix epoch; `undefined` if its first record is damaged. */
  startOf(segment: Segment): Effect.Effect<number | undefined, DiskError> {
    return Effect.suspend(() => {
      if (segment.oldest !== undefined) return Effect.succeed(segment.oldest)
      return this.reading(segment, (file) => {
        const header = Buffer.alloc(logHeaderSize)
        return Effect.map(file.read(header, 0), () => {
          segment.oldest = readLogHeader(header, 0, this.host.epoch)?.acceptedAt
          return segment.oldest
        })
      })
    })
  }

  private reading<A>(
    { path }: Segment,
    use: (file: DiskFile) => Effect.Effect<A, DiskError>
  ): Effect.Effect<A, DiskError> {
    return Effect.acquireUseRelease(this.host.disk.open(path), use, (file) => file.close)
  }
}
