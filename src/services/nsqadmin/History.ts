/**
 * The past of the cluster, for charts: one point per series and 20 seconds for an hour in memory, and before that what `HistoryStore`
 * has. A series that disappears is dropped from memory when its last point is an hour old.
 */
import { Clock, Context, Effect, Layer, Stream } from "effect"
import type { HistoryResponse, HistorySeries } from "../../protocol/http/admin/AdminLive.ts"
import * as Time from "../core/Time.ts"
import * as Turns from "../core/Turns.ts"
import * as Figures from "./Figures.ts"
import type { Flow } from "./Flow.ts"
import * as Format from "./HistoryFormat.ts"
import { HistoryStore } from "./HistoryStore.ts"
import { PointGrid } from "./PointMeans.ts"
import { type PointFigures, type PointRates, ringLength, Rings } from "./Rings.ts"
import { Sampler } from "./Sampler.ts"

const pointMillis = 20_000

/** Limit for series, about 2.5 kB each, or 4 kB with requeues and timeouts. A large cluster has about 20,000. */
const maxSeries = 100_000

/** Limit for series in a response. */
const maxReturned = 1000

interface Series {
  readonly ring: number
  /** The number of its last point. */
  last: number
}

/** The series of a topic and its channels, over all nsqds or on one nsqd. */
class Group {
  own: Series | undefined
  readonly channels = new Map<string, Series>()
}

class TopicSeries {
  readonly sum = new Group()
  readonly nodes = new Map<string, Group>()
}

const groupOf = <A>(groups: Map<string, A>, key: string, make: () => A): A => {
  const known = groups.get(key)
  if (known !== undefined) return known
  const made = make()
  groups.set(key, made)
  return made
}

/** The series of a cluster, at most `max`. Times are monotonic milliseconds unless stated otherwise. */
export class SeriesTable {
  private readonly rings: Rings
  private readonly topics = new Map<string, TopicSeries>()
  /** The number of the first point, undefined before the first figures. A point's number is its time divided by 20 s. */
  private first: number | undefined
  private current = 0
  /** The point at which series that are too old have been dropped. */
  private dropped = 0
  /** Whether a series was rejected because the table was full. */
  isFull = false

  constructor(max: number) {
    this.rings = new Rings(max)
  }

  get size(): number {
    return this.rings.size
  }

  /** Adds figures to the current point, a step or two for each topic. */
  *record(figures: Figures.ClusterFigures): Generator<void, void, void> {
    this.advance(figures.at)
    if (this.dropped < this.current) yield* this.dropOld()
    for (const [name, { channels, summary }] of figures.topics) {
      // The last known figures of nsqds that are away are no points: without any current figures, the chart has a gap.
      if (Figures.isAway(figures, name)) continue
      const topic = groupOf(this.topics, name, () => new TopicSeries())
      this.write(topic.sum, summary.backlog, summary, channels)
      for (const node of figures.nodes) {
        const onNode = figures.seen.get(node)?.flows.topic(name, undefined)
        if (onNode === undefined) continue
        const group = groupOf(topic.nodes, node, () => new Group())
        this.write(group, onNode.flow.backlog, onNode.flow, onNode.channels())
      }
      yield
    }
  }

  /**
   * Returns the points of these topics until `at`; with `isDetailed` also those of their channels and nodes. Returns at most
   * `max` series, those over all nsqds first. `unixMillis` is `at` as Unix time.
   */
  read(
    names: ReadonlyArray<string>,
    isDetailed: boolean,
    at: number,
    unixMillis: number,
    max: number
  ): HistoryResponse {
    if (this.first === undefined) return { times: [], series: [] }
    this.advance(at)
    const points = Math.min(this.current - this.first + 1, ringLength)
    const begin = Math.round(unixMillis - at)
    const times = Array.from({ length: points }, (_, i) => begin + (this.current - points + 1 + i) * pointMillis)
    const series: Array<HistorySeries> = []
    const add = (topic: string, channel: string, node: string, found: Series | undefined): void => {
      if (found === undefined || this.isOld(found) || series.length >= max) return
      series.push({ topic, channel, node, ...this.rings.read(found.ring, points) })
    }
    for (const name of names) add(name, "", "", this.topics.get(name)?.sum.own)
    if (!isDetailed) return { times, series }
    for (const name of names) {
      const topic = this.topics.get(name)
      if (topic === undefined) continue
      for (const [channel, found] of topic.sum.channels) add(name, channel, "", found)
      for (const [node, { own }] of topic.nodes) add(name, "", node, own)
      for (const [node, { channels }] of topic.nodes) {
        for (const [channel, found] of channels) add(name, channel, node, found)
      }
    }
    return { times, series }
  }

  private write(group: Group, backlog: number, own: PointRates, channels: ReadonlyMap<string, Flow>): void {
    group.own = this.add(group.own, backlog, own)
    for (const [name, flow] of channels) {
      const known = group.channels.get(name)
      const series = this.add(known, flow.depth, flow)
      if (known === undefined && series !== undefined) group.channels.set(name, series)
    }
  }

  private add(known: Series | undefined, backlog: number, rates: PointRates): Series | undefined {
    const series = known ?? this.make()
    if (series === undefined) return undefined
    series.last = this.current
    this.rings.write(series.ring, backlog, rates)
    return series
  }

  private make(): Series | undefined {
    const ring = this.rings.take()
    if (ring !== undefined) return { ring, last: this.current }
    this.isFull = true
    return undefined
  }

  private advance(at: number): void {
    const point = Math.floor(at / pointMillis)
    if (this.first === undefined) this.first = this.current = point
    if (point <= this.current) return
    this.rings.turn(point - this.current)
    this.current = point
  }

  private *dropOld(): Generator<void, void, void> {
    this.dropped = this.current
    for (const [name, { nodes, sum }] of this.topics) {
      this.dropOldOf(sum)
      for (const [node, group] of nodes) {
        this.dropOldOf(group)
        if (isEmpty(group)) nodes.delete(node)
      }
      if (isEmpty(sum) && nodes.size === 0) this.topics.delete(name)
      yield
    }
  }

  private dropOldOf(group: Group): void {
    if (group.own !== undefined && this.isOld(group.own)) {
      this.rings.release(group.own.ring)
      group.own = undefined
    }
    for (const [name, series] of group.channels) {
      if (!this.isOld(series)) continue
      this.rings.release(series.ring)
      group.channels.delete(name)
    }
  }

  private isOld({ last }: Series): boolean {
    return this.current - last >= ringLength
  }
}

const isEmpty = ({ channels, own }: Group): boolean => own === undefined && channels.size === 0

/** A part of the history of a topic, or of one of its channels. Times are milliseconds. */
export interface Range {
  readonly topic: string
  /** Empty for the topic. */
  readonly channel: string
  readonly span: number
  /** Unix time of the end. Default: now. */
  readonly to?: number | undefined
  /** How much earlier the range is, to compare it with a later one. */
  readonly before: number
}

/** Limit for points of a range. */
const maxPoints = 1100

/** Returns the finest tier that has a range, and the distance of its points. */
const resolutionOf = (from: number, to: number, now: number): readonly [Format.Tier, number] => {
  const finest = Format.minutes.millis * maxPoints * 3 >= to - from && Format.dayOf(now) - Format.dayOf(from) <
      Format.minutes.days
  const tier = finest ? Format.minutes : Format.tenMinutes
  return [tier, tier.millis * Math.max(1, Math.ceil((to - from) / tier.millis / maxPoints))]
}

/** Returns the point of a series in a response; undefined if it is unknown. */
const pointAt = (series: HistorySeries, i: number): PointFigures | undefined => {
  const backlog = series.backlog[i] ?? null
  if (backlog === null) return undefined
  return {
    backlog,
    rate: series.rate[i] ?? null,
    finish_rate: series.finish_rate[i] ?? null,
    requeue_rate: series.requeue_rate[i] ?? null,
    timeout_rate: series.timeout_rate[i] ?? null
  }
}

/** Returns a series with earlier points before its own. */
const preceded = (
  series: HistorySeries,
  earlier: Omit<HistorySeries, "topic" | "channel" | "node">
): HistorySeries => ({
  ...series,
  backlog: [...earlier.backlog, ...series.backlog],
  rate: [...earlier.rate, ...series.rate],
  finish_rate: [...earlier.finish_rate, ...series.finish_rate],
  requeue_rate: [...earlier.requeue_rate, ...series.requeue_rate],
  timeout_rate: [...earlier.timeout_rate, ...series.timeout_rate]
})

/** The history of the cluster. */
export class History extends Context.Service<History, {
  /**
   * Returns the past hour of these topics; with `isDetailed` also of their channels and nodes. Returns at most 1,000 series and
   * omits unknown topics. Points from before the start of nsqadmin are a minute apart, and of sums over all nsqds only.
   */
  readonly read: (topics: ReadonlyArray<string>, isDetailed: boolean) => Effect.Effect<HistoryResponse>
  /** Returns one series over all nsqds. Its points are as far apart as the range requires, at most 1,100 of them. */
  readonly range: (range: Range) => Effect.Effect<HistoryResponse>
}>()("effect-nsq/admin/History") {
  static readonly layer: Layer.Layer<History, never, Sampler | HistoryStore> = Layer.effect(
    History,
    Effect.gen(function*() {
      const { samples } = yield* Sampler
      const store = yield* HistoryStore
      const clock = yield* Clock.Clock
      const turns = Turns.inBackground(yield* Turns.Turns)
      const series = new SeriesTable(maxSeries)
      let recorded: Figures.ClusterFigures | undefined
      let isReported = false

      const record = Effect.fnUntraced(function*(figures: Figures.ClusterFigures) {
        // A sample that timed out repeats the figures of the previous one.
        if (figures === recorded) return
        recorded = figures
        yield* Turns.finish(turns, series.record(figures))
        if (!series.isFull || isReported) return
        isReported = true
        yield* Effect.logWarning(
          `history is limited to ${maxSeries} series: further topics and channels have no charts`
        )
      })
      yield* Effect.forkScoped(Stream.runForEach(samples, ({ figures }) => record(figures)))

      const inMemory = (topics: ReadonlyArray<string>, isDetailed: boolean): HistoryResponse => {
        const monotonic = Time.fromClock(clock).monotonicMillis()
        return series.read(topics, isDetailed, monotonic, clock.currentTimeMillisUnsafe(), maxReturned)
      }

      const read = Effect.fnUntraced(function*(topics: ReadonlyArray<string>, isDetailed: boolean) {
        const memory = inMemory(topics, isDetailed)
        const first = memory.times[0]
        if (store.retention === 0 || first === undefined || memory.times.length >= ringLength) return memory
        const sums = memory.series.filter(({ node }) => node === "")
        const names = sums.map(({ channel, topic }) => Format.seriesName(topic, channel))
        const from = clock.currentTimeMillisUnsafe() - ringLength * pointMillis
        const stored = yield* store.read(Format.minutes, names, from, first)
        const earliest = Math.min(...Array.from(stored.values(), ([point]) => point?.at ?? Infinity))
        // The greatest backlog of a minute that has points in memory as well may be later than these.
        const last = first - Format.minutes.millis
        if (earliest > last) return memory
        const ofStored = (name: string) => {
          const grid = new PointGrid(earliest, last, Format.minutes.millis)
          for (const { at, point } of stored.get(name) ?? []) grid.add(at, point)
          return grid
        }
        return {
          times: [...ofStored("").times, ...memory.times],
          series: memory.series.map((one) =>
            preceded(one, ofStored(one.node === "" ? Format.seriesName(one.topic, one.channel) : "").read())
          )
        }
      })

      const range = Effect.fnUntraced(function*({ before, channel, span, to: end, topic }: Range) {
        const now = clock.currentTimeMillisUnsafe()
        const to = Math.min(end ?? now, now) - before
        const from = to - span
        const [tier, step] = resolutionOf(from, to, now)
        const memory = inMemory([topic], true)
        const recent = memory.series.find((one) => one.node === "" && one.channel === channel)
        // An hour and what is in memory need no coarser points than necessary.
        const isRecent = recent !== undefined && from >= (memory.times[0] ?? Infinity)
        const grid = new PointGrid(from, to, isRecent ? pointMillis : step)
        if (!isRecent) {
          const name = Format.seriesName(topic, channel)
          const stored = yield* store.read(tier, [name], from, to)
          for (const { at, point } of stored.get(name) ?? []) grid.add(at, point)
        }
        const kept = new Set(grid.times.filter((time) => grid.has(time)))
        for (const [i, time] of memory.times.entries()) {
          const point = recent === undefined ? undefined : pointAt(recent, i)
          if (point !== undefined && !kept.has(grid.start(time))) grid.add(time, point)
        }
        return { times: grid.times, series: [{ topic, channel, node: "", ...grid.read() }] }
      })

      return History.of({ read, range })
    })
  )
}
