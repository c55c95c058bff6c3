/**
 * The messages that a log still has, those that all channels have finished included: reads them by sequence and by time, moves channels
 * to a place among them, and retains finished ones (docs/policies.md#retention).
 */
import { Effect } from "effect"
import type { LogStateChanges } from "../../../protocol/storage/LogState.ts"
import type { Disk } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import type { ChannelLog } from "./ChannelLog.ts"
import type { LogBatch } from "./LogBatch.ts"
import type { LogChannels } from "./LogChannels.ts"
import type { LogCommits } from "./LogCommits.ts"
import type { LogHandover } from "./LogHandover.ts"
import type { LogReading } from "./LogReading.ts"
import { type EachRecord, scan, type ScanHost, type ScanReading } from "./LogScan.ts"
import { meanSize } from "./MeanSize.ts"
import type { Retention, RetentionLimits } from "./Retention.ts"
import type { Segment, Segments } from "./Segment.ts"
import type { StateRecorder } from "./StateRecorder.ts"
import { firstSince, type IsOver, sequenceAt } from "./TimeSearch.ts"

/** Bytes per read of messages that may all be young enough. */
const finishBlockBytes = 64 * 1024

/** What the history needs from its log. */
export interface HistoryHost extends ScanHost {
  /** The log's name in log lines. */
  readonly label: string
  readonly disk: Disk["Service"]
  readonly segments: Segments
  readonly channels: LogChannels
  readonly commits: LogCommits
  readonly handover: LogHandover
  readonly reading: LogReading
  readonly recorder: StateRecorder
  readonly retention: Retention
}

export class LogHistory {
  private readonly host: HistoryHost

  constructor(host: HistoryHost) {
    this.host = host
  }

  /** The sequence of the oldest message that the log still has, or the next one. */
  get start(): number {
    return this.host.segments.all[0]?.first ?? this.end
  }
  /** The sequence after the last message that is stored. */
  get end(): number {
    return this.host.commits.end
  }

  /** Calls `gap` for the messages behind the oldest one that the log does not have: all channels have finished them, or they are lost. */
  forEachGap(gap: (from: number, to: number) => void): void {
    const { segments } = this.host
    segments.forEachGap(gap)
    const { last } = segments
    if (last !== undefined && last.end < this.end) gap(last.end, this.end)
  }

  /** Whether messages may have headers: some have them, or it is not known. */
  get hasHeaders(): boolean {
    return this.host.handover.hasHeaders
  }

  /** Whether all channels have finished the message. */
  isDoneWith(sequence: number): boolean {
    return sequence < this.host.handover.handed && this.host.channels.areDoneWith(sequence, sequence + 1)
  }

  /** All channels have finished the messages below this sequence. */
  get doneBelow(): number {
    return Math.min(this.host.handover.handed, this.host.channels.lowestFloor)
  }

  /** See `meanSize`. */
  get meanBytes(): Effect.Effect<number | undefined, StorageError> {
    return Effect.mapError(meanSize(this.host), StorageError.fromDisk)
  }

  // ---- reading

  /** The sequence of the first message that was accepted from `millis` on, in ms since the Unix epoch; `end` without such a message. */
  sequenceAt(millis: number): Effect.Effect<number, StorageError> {
    return Effect.mapError(
      sequenceAt(this.host, millis, (segment) => this.host.retention.startOf(segment), this.end),
      StorageError.fromDisk
    )
  }

  /** Reads the records from the one with the message `from`, or the next that exists, on; see `LogScan`. */
  scan(from: number, each: EachRecord, options?: ScanReading): Effect.Effect<void, StorageError> {
    return Effect.mapError(scan(this.host, from, each, options), StorageError.fromDisk)
  }

  /** Reads messages from `from` on that were not handed over; `undefined` behind the last one. */
  readHeld(from: number): Effect.Effect<LogBatch | undefined, StorageError> {
    return this.host.reading.readHeld(from)
  }

  // ---- moving channels

  /**
   * Makes the messages from `sequence` on, and no others, wait in the channel; completes when that is recorded. `begin` runs at the
   * same moment, while nothing is read. Messages that the log does not have any more stay finished.
   */
  seek(channel: ChannelLog, sequence: number, begin: () => void): Effect.Effect<void, StorageError> {
    const { channels, handover, reading, recorder } = this.host
    return Effect.mapError(
      recorder.replace(reading.alone(Effect.sync(() => {
        begin()
        channels.move(channel, Math.max(this.start, Math.min(sequence, handover.handed)))
        this.forEachGap((from, to) => channel.skipLost(from, to))
      }))),
      StorageError.fromDisk
    )
  }

  /**
   * Finishes the messages that the channel would read next and that were accepted before the time that `before` returns, in ms since the
   * Unix epoch; returns how many. `before` is called for each record, with its due time or 0, because a policy may change, and the
   * channel read on or be moved, while the log is read. So are those with headers for which `isOver` returns true.
   */
  finishBefore(
    channel: ChannelLog,
    before: (due: number) => number,
    isOver?: IsOver
  ): Effect.Effect<number, StorageError> {
    const { handover } = this.host
    return Effect.suspend(() => {
      if (channel.cursor >= handover.handed) return Effect.succeed(0)
      let finished = 0
      const each: EachRecord = (header, frames) => {
        const from = Math.max(channel.cursor, header.first)
        const ofHeaders = header.hasHeaders ? isOver : undefined
        const to = Math.min(firstSince(header, frames, before(header.due), ofHeaders), handover.handed)
        const count = channel.waiting + channel.deferredCount
        channel.skip(from, to)
        finished += count - channel.waiting - channel.deferredCount
        return to === header.first + header.count
      }
      return Effect.map(this.scan(channel.cursor, each, { blockBytes: finishBlockBytes }), () => finished)
    })
  }

  // ---- recording

  /** Encodes which messages there are. */
  encode(out: LogStateChanges): void {
    this.encodeEnds(out)
    this.forEachGap((from, to) => out.lost(from, to))
  }

  /** The same after the removal of segments. */
  encodeTrimmed(out: LogStateChanges, removed: Iterable<Segment>): void {
    this.encodeEnds(out)
    // Between others: a channel that is moved back after a restart must pass them.
    for (const { end, first } of removed) if (first > this.start) out.lost(first, end)
  }

  /** Without segments, the state alone tells the next sequence and the next id. */
  private encodeEnds(out: LogStateChanges): void {
    out.trimmed(this.start)
    const { lastIssued } = this.host.commits
    if (lastIssued !== undefined) out.issued(lastIssued.unit, lastIssued.sequence)
  }

  // ---- retention

  /** Keeps finished messages as `limits` says at each moment; `undefined` keeps none. Before the first call all are kept. */
  retain(limits: () => RetentionLimits | undefined): void {
    this.host.retention.limits = limits
  }

  /** Removes what is not retained any more. Called periodically: the age of messages changes without commands. */
  get sweep(): Effect.Effect<void> {
    const { label, recorder, retention } = this.host
    if (retention.limits() === undefined) return Effect.void
    return retention.measure.pipe(
      Effect.andThen(Effect.sync(() => recorder.note())),
      Effect.catch((error) => Effect.logWarning(`${label}: failed to read the age of a segment - ${error.message}`))
    )
  }
}
