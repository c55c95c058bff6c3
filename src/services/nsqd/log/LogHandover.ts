/**
 * The handover of committed messages to the channels of a log. Channels read messages below one sequence only, which rises while
 * the topic hands messages over. The messages above it wait: for the topic, while it is paused, or for its first channel.
 *
 * Hot path: `handOver` is called after every commit.
 */
import type { LogStateChanges } from "../../../protocol/storage/LogState.ts"
import type { ChannelLog } from "./ChannelLog.ts"
import type { LogBatch } from "./LogBatch.ts"
import type { LogChannels } from "./LogChannels.ts"
import type { LogCommits } from "./LogCommits.ts"
import type { RecoveredLog } from "./LogRecovery.ts"
import { LostAhead } from "./LostAhead.ts"
import type { DeferredRange } from "./SegmentRecovery.ts"
import type { StateRecorder } from "./StateRecorder.ts"

/** Batches of deferred messages that a topic keeps in memory while it is paused or has no channels. */
const deferredMost = 10_000

/** What the handover needs from its log. */
export interface HandoverHost {
  readonly channels: LogChannels
  readonly commits: LogCommits
  readonly recorder: StateRecorder
  /** The wall clock, in ms since the Unix epoch. */
  readonly wallMillis: () => number
}

export class LogHandover {
  private readonly channels: LogChannels
  private readonly commits: LogCommits
  private readonly recorder: StateRecorder
  private readonly host: HandoverHost
  private handedTo: number
  /** Whether messages may have headers: some have them, or it is not known. */
  hasHeaders: boolean
  private readonly lostAhead = new LostAhead()
  private isHeld: boolean
  /** Deferred messages that were not handed over yet; channels defer further ones when they read them. */
  private deferred: Array<DeferredRange>

  constructor(host: HandoverHost, { deferred, end, handedTo, hasHeaders, state }: RecoveredLog) {
    this.host = host
    this.channels = host.channels
    this.commits = host.commits
    this.recorder = host.recorder
    this.isHeld = handedTo < end || state.heldFrom !== undefined || state.channels.length === 0
    this.handedTo = handedTo
    this.hasHeaders = hasHeaders
    if (this.isHeld && state.heldFrom !== handedTo) this.recorder.changes.held(handedTo)
    this.deferred = deferred.filter(({ first }) => first >= handedTo).slice(0, deferredMost)
    for (const { from, to } of state.lostRanges) this.lostAhead.add(Math.max(from, handedTo), to)
  }

  /** All channels may read the messages below this sequence. */
  get handed(): number {
    return this.handedTo
  }
  /** Messages that were not handed to the channels yet. */
  get depth(): number {
    return this.commits.end - this.handedTo - this.lostAhead.count
  }

  /** See `TopicLog.handOver`. */
  handOver(): number {
    const count = this.depth
    const from = this.handedTo
    const { end } = this.commits
    this.channels.keepOldest(from, end)
    this.handedTo = end
    this.lostAhead.clear()
    for (const channel of this.channels.all) channel.extend(from, end)
    this.deferAhead()
    const wasHeld = this.isHeld
    // An ephemeral channel does not remember what it has got.
    this.isHeld = this.channels.areEphemeral
    if (this.isHeld) this.recorder.changes.held(end)
    else if (wasHeld) this.recorder.changes.released()
    if (this.isHeld || wasHeld) this.recorder.note()
    return count
  }

  /** Remembers which new messages are deferred, without their frames, which would stay in memory, and whether any has headers. */
  note(batches: ReadonlyArray<LogBatch>): void {
    for (const { due, end, first, hasHeaders } of batches) {
      if (hasHeaders) this.hasHeaders = true
      if (due > 0 && this.deferred.length < deferredMost) this.deferred.push({ due, end, first })
    }
  }

  private deferAhead(): void {
    if (this.deferred.length === 0) return
    const now = this.host.wallMillis()
    for (const batch of this.deferred) {
      if (batch.due <= now) continue
      for (const channel of this.channels.all) channel.deferAhead(batch)
    }
    this.deferred = []
  }

  /** See `TopicLog.hold`. */
  hold(): void {
    if (this.isHeld) return
    this.isHeld = true
    this.recorder.changes.held(this.handedTo)
    // Otherwise a crash would hand over the messages that are acknowledged next.
    this.recorder.noteVital()
  }

  /** The messages from `from` up to, but not including, `to` do not exist. */
  lose(from: number, to: number): void {
    this.lostAhead.add(Math.max(from, this.handedTo), to)
  }

  /** Lets a new channel pass messages that do not exist. */
  skipLost(channel: ChannelLog): void {
    this.lostAhead.forEach((from, to) => channel.skipLost(from, to))
  }

  /** Drops the messages that were not handed over; the change is not recorded yet. */
  drop(): void {
    const from = this.handedTo
    this.handedTo = this.commits.end
    this.lostAhead.clear()
    this.deferred = []
    for (const channel of this.channels.all) {
      channel.extend(from, this.handedTo)
      channel.skipLost(from, this.handedTo)
    }
    const { changes } = this.recorder
    changes.lost(from, this.handedTo)
    if (this.isHeld) changes.held(this.handedTo)
  }

  /** Encodes the whole state of the messages that were not handed over. */
  encode(out: LogStateChanges): void {
    if (this.isHeld) out.held(this.handedTo)
    this.lostAhead.forEach((from, to) => out.lost(from, to))
  }
}
