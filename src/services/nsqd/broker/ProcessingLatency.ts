/**
 * How long the messages of a channel take from being published to FIN, for whoever has asked: percentiles over a window if the
 * options name some, a histogram from when metrics are first looked at. Until then it is one comparison per FIN.
 *
 * Hot path: a FIN only notes when its message was published, once for neighbours from the same batch, whose bytes it does not
 * touch; once per pass of the channel the clock is read and what was noted is counted.
 */
import { Duration, Effect } from "effect"
import { frameTimestampOffset, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { Time } from "../../core/Time.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { LatencyHistogram } from "./LatencyHistogram.ts"
import type { LatencyQuantiles, LatencySummary } from "./LatencyQuantiles.ts"

/** What is kept of latencies, the same for all channels of a broker. */
export interface LatencyPlan {
  /** Makes the percentiles of a channel; undefined where none are asked for. */
  readonly openQuantiles: (() => LatencyQuantiles) | undefined
  /** Whether histograms are kept. Once they are they stay. */
  histograms: boolean
}

/** The plan that the options ask for. Percentiles load their sketch. */
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

/** Moments that are noted before they have to be counted. */
const notesMax = 256

/** Until something is noted. */
const noNumbers = new Float64Array(0)

/** Messages gathered within this part of their latency count as published together, in the middle: 0.2 % off at most. */
const spreadDivisor = 250

/** When the message of the frame at `position` was published, in ns since the epoch. */
const publishedAt = (frames: Buffer, position: number): number =>
  frames.readInt32BE(position + frameTimestampOffset) * 2 ** 32 +
  frames.readUInt32BE(position + frameTimestampOffset + 4)

export class ProcessingLatency {
  private readonly plan: LatencyPlan
  private readonly time: Time
  private readonly quantiles: LatencyQuantiles | undefined
  private spread: LatencyHistogram | undefined
  private notes = 0
  /** When notes were counted last, in ns since the epoch. */
  private countedAt = 0
  /** Publishing times in ns, which a double holds to a quarter of a microsecond, and how many messages have each. */
  private published = noNumbers
  private counts = noNumbers
  /** The batch of the last note, if its messages share a time: most often the next FIN is of the same. */
  private lastBatch: MessageBatch | undefined

  constructor(plan: LatencyPlan, time: Time) {
    this.plan = plan
    this.time = time
    this.quantiles = plan.openQuantiles?.()
  }

  /** Whether anybody wants to know. */
  get isWanted(): boolean {
    return this.quantiles !== undefined || this.plan.histograms
  }

  /** The message at `position` of the batch's frames is finished. */
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

  /** When all messages of the batch were published, as exactly as percentiles are; undefined where that cannot be said. */
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

  /** Counts what was noted. To be called soon after: the messages are taken to be finished now. */
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

  /** All messages finished since histograms are kept; undefined while there are none. */
  get histogram(): LatencyHistogram | undefined {
    this.settle()
    return this.spread
  }

  /** Percentiles of all of these channels together. */
  static summary(channels: ReadonlyArray<ProcessingLatency>): LatencySummary {
    const [first, ...others] = channels.flatMap((channel) => {
      channel.settle()
      return channel.quantiles === undefined ? [] : [{ quantiles: channel.quantiles, time: channel.time }]
    })
    return first === undefined
      ? { count: 0, percentiles: null }
      : first.quantiles.summary(others.map(({ quantiles }) => quantiles), first.time.monotonicMillis())
  }
}
