/**
 * The latency of a channel's messages from publishing to FIN: percentiles over a window if configured, and a
 * histogram from the first request for metrics on. Otherwise the cost is one comparison per FIN.
 *
 * Hot path: a FIN only records the publishing time of its message, once for neighbours from the same batch and
 * without reading the batch's bytes. Once per pass of the channel the clock is read and the recorded times are
 * counted.
 */
import { Duration, Effect } from "effect"
import { frameTimestampOffset, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { Latency } from "../../../protocol/http/StatsResponse.ts"
import type { Time } from "../../core/Time.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { LatencyHistogram } from "./LatencyHistogram.ts"
import type { LatencyQuantiles } from "./LatencyQuantiles.ts"

/** The latency statistics of all channels of a broker. */
export interface LatencyPlan {
  /** Creates a channel's percentiles; `undefined` if none are configured. */
  readonly openQuantiles: (() => LatencyQuantiles) | undefined
  /** Whether histograms are kept. Never reset. */
  histograms: boolean
}

/** The plan for the options. Loads the sketch only if percentiles are configured. */
export const makePlan = (options: NsqdOptions, time: Time): Effect.Effect<LatencyPlan> => {
  const { e2eProcessingLatencyPercentiles: percentiles, e2eProcessingLatencyWindowTime } = options
  const windowMillis = Duration.toMillis(e2eProcessingLatencyWindowTime)
  return percentiles.length === 0
    ? Effect.sync(() => ({ openQuantiles: undefined, histograms: false }))
    : Effect.map(Effect.promise(() => import("./LatencyQuantiles.ts")), ({ LatencyQuantiles }) => ({
      openQuantiles: () => new LatencyQuantiles(windowMillis, percentiles, time.monotonicMillis()),
      histograms: false
    }))
}

/** Recorded times before they must be counted. */
const notesMax = 256

/** Until the first time is recorded. */
const noNumbers = new Float64Array(0)

/**
 * Messages gathered within this fraction of their latency count as published in the middle: an error of at most 0.2
 * %.
 */
const spreadDivisor = 250

/** Publishing time of the message of the frame at `position`, in ns since the epoch. */
const publishedAt = (frames: Buffer, position: number): number =>
  frames.readInt32BE(position + frameTimestampOffset) * 2 ** 32 +
  frames.readUInt32BE(position + frameTimestampOffset + 4)

export class ProcessingLatency {
  private readonly plan: LatencyPlan
  private readonly time: Time
  private readonly quantiles: LatencyQuantiles | undefined
  private spread: LatencyHistogram | undefined
  private notes = 0
  /** Time of the last count, in ns since the epoch. */
  private countedAt = 0
  /** Publishing times in ns (a double is exact to a quarter of a microsecond), and the number of messages of each. */
  private published = noNumbers
  private counts = noNumbers
  /** The batch of the last recorded time, if its messages share one: the next FIN is mostly from the same batch. */
  private lastBatch: MessageBatch | undefined

  constructor(plan: LatencyPlan, time: Time) {
    this.plan = plan
    this.time = time
    this.quantiles = plan.openQuantiles?.()
  }

  /** Whether latencies have to be recorded. */
  get isWanted(): boolean {
    return this.quantiles !== undefined || this.plan.histograms
  }

  /** Records that the message at `position` of the batch's frames is finished. */
  note(batch: MessageBatch, position: number): void {
    if (batch === this.lastBatch) {
      this.counts[this.notes - 1]!++
      return
    }
    const together = this.commonTime(batch)
    if (this.notes === this.published.length) this.makeRoom()
    this.published[this.notes] = together ?? publishedAt(batch.frames, position)
    this.counts[this.notes++] = 1
    this.lastBatch = together === undefined ? undefined : batch
  }

  /**
   * The common publishing time of the batch's messages, within the precision of percentiles; `undefined` if there is
   * none.
   */
  private commonTime(batch: MessageBatch): number | undefined {
    const first = batch.publishedNanos
    if (first === undefined) return undefined
    const spread = batch.gatheringNanos
    if (spread === 0) return first
    const latencyLeast = this.countedAt - first - spread
    return spread > 0 && spread * spreadDivisor < latencyLeast ? first + spread / 2 : undefined
  }

  private makeRoom(): void {
    if (this.notes > 0) return this.count()
    this.published = new Float64Array(notesMax)
    this.counts = new Float64Array(notesMax)
  }

  /** Counts the recorded messages as finished now. Must be called soon after the FINs. */
  settle(): void {
    if (this.notes > 0) this.count()
  }

  private count(): void {
    const { counts, published, quantiles } = this
    const now = Number(this.time.wallNanos())
    this.countedAt = now
    quantiles?.moveTo(this.time.monotonicMillis())
    if (this.plan.histograms) this.spread ??= new LatencyHistogram()
    for (let i = 0; i < this.notes; i++) {
      quantiles?.add(now - published[i]!, counts[i]!)
      this.spread?.add(now - published[i]!, counts[i]!)
    }
    this.notes = 0
    this.lastBatch = undefined
  }

  /** All messages finished since histograms are kept; `undefined` without any. */
  get histogram(): LatencyHistogram | undefined {
    this.settle()
    return this.spread
  }

  /** Percentiles over all these channels. */
  static summary(channels: ReadonlyArray<ProcessingLatency>): Latency {
    const [first, ...others] = channels.flatMap((channel) => {
      channel.settle()
      return channel.quantiles === undefined ? [] : [{ quantiles: channel.quantiles, time: channel.time }]
    })
    return first === undefined
      ? { count: 0, percentiles: null }
      : first.quantiles.summary(others.map(({ quantiles }) => quantiles), first.time.monotonicMillis())
  }
}
