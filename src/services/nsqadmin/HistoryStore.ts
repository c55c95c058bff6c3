/**
 * The history on disk: a point per minute for three days and per 10 minutes for `--history-retention`, of each topic and channel over
 * all nsqds. Points are written in batches by a fiber of their own. What fails is logged, and the past hour in memory remains.
 */
import { Clock, Context, Duration, Effect, Layer, Queue, Semaphore, Stream } from "effect"
import * as Turns from "../core/Turns.ts"
import { type ClusterFigures, isAway } from "./Figures.ts"
import { HistoryFiles, maxSeries, type StoredPoint } from "./HistoryFiles.ts"
import * as Format from "./HistoryFormat.ts"
import type { NsqadminError } from "./NsqadminError.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"
import { PointMeans, type PointsAt } from "./PointMeans.ts"
import { Sampler } from "./Sampler.ts"

/** Limit for points that wait for the disk: of about 16 minutes. Further ones are dropped. */
const maxWaiting = 16

interface Batch {
  readonly tier: Format.Tier
  readonly at: PointsAt
}

type Stored = ReadonlyMap<string, ReadonlyArray<StoredPoint>>

/**
 * Adds the points of all topics and channels to means, one step for each topic. The last known figures of nsqds that are away are no
 * points.
 */
function* added(figures: ClusterFigures, to: PointMeans): Generator<void, void, void> {
  for (const [topic, { channels, summary }] of figures.topics) {
    if (isAway(figures, topic)) continue
    to.add(topic, summary.backlog, summary)
    for (const [channel, flow] of channels) to.add(Format.seriesName(topic, channel), flow.depth, flow)
    yield
  }
}

/** The history on disk. Without `--history-dir` it is empty. */
export class HistoryStore extends Context.Service<HistoryStore, {
  /** The time for which points are kept, in milliseconds; 0 without a store. */
  readonly retention: number
  /** Returns the points of series, by their names. Series that cannot be read are empty; why is logged. */
  readonly read: (tier: Format.Tier, series: ReadonlyArray<string>, from: number, to: number) => Effect.Effect<Stored>
}>()("effect-nsq/admin/HistoryStore") {
  /** Reads and writes the files of `--history-dir` until the Scope closes, which writes the points that are not complete. */
  static readonly layer: Layer.Layer<HistoryStore, never, Sampler> = Layer.effect(
    HistoryStore,
    Effect.gen(function*() {
      const { historyDir: directory, historyRetention } = yield* NsqadminOptions
      if (directory === "") return HistoryStore.of({ retention: 0, read: () => Effect.succeed(new Map()) })
      const { samples } = yield* Sampler
      const clock = yield* Clock.Clock
      const turns = Turns.inBackground(yield* Turns.Turns)
      const files = new HistoryFiles(directory)
      const turn = yield* Semaphore.make(1)
      const waiting = yield* Queue.dropping<Batch>(maxWaiting)
      const means = Format.tiers.map((tier) => ({ tier, of: new PointMeans(tier.millis) }))
      const retentionDays = Math.ceil(Duration.toDays(historyRetention))
      const reported = { failure: "", isFull: false, isSlow: false }
      let prepared: number | undefined
      let recorded: ClusterFigures | undefined

      const today = () => Format.dayOf(clock.currentTimeMillisUnsafe())

      /** Logs a failure once, until it is another one. */
      const report = ({ message }: NsqadminError) =>
        Effect.suspend(() => {
          if (reported.failure === message) return Effect.void
          reported.failure = message
          return Effect.logWarning(`${message} (${directory}); charts show what is in memory`)
        })

      const reportDamaged = Effect.suspend(() =>
        Effect.forEach(
          files.takeDamaged(),
          (path) => Effect.logWarning(`history file ${path} is damaged and has been renamed to ${path}.damaged`)
        )
      )

      const prepare = Effect.suspend(() => {
        if (prepared === today()) return Effect.void
        return Effect.tap(files.prepare(today(), retentionDays), () => Effect.sync(() => void (prepared = today())))
      })

      const write = ({ at, tier }: Batch) =>
        prepare.pipe(
          Effect.andThen(files.write(tier, at)),
          Effect.tap((isComplete) => {
            reported.failure = ""
            if (isComplete || reported.isFull) return Effect.void
            reported.isFull = true
            return Effect.logWarning(
              `the history on disk is limited to ${maxSeries} series a day: further topics and channels are not kept`
            )
          }),
          Effect.catch(report),
          Effect.andThen(reportDamaged),
          turn.withPermit,
          Effect.uninterruptible
        )

      const offer = (tier: Format.Tier, at: PointsAt) => {
        if (Queue.offerUnsafe(waiting, { tier, at })) {
          reported.isSlow = false
          return Effect.void
        }
        if (reported.isSlow) return Effect.void
        reported.isSlow = true
        return Effect.logWarning(`the disk of ${directory} is too slow for the history: points are dropped`)
      }

      const record = Effect.fnUntraced(function*(figures: ClusterFigures) {
        // A sample that timed out repeats the figures of the previous one.
        if (figures === recorded) return
        recorded = figures
        for (const { of, tier } of means) {
          const finished = of.advance(figures.unixMillis)
          if (finished !== undefined) yield* offer(tier, finished)
          yield* Turns.finish(turns, added(figures, of))
        }
      })

      const flush = Effect.gen(function*() {
        for (const { of, tier } of means) {
          const at = of.finish()
          if (at !== undefined) yield* offer(tier, at)
        }
        yield* Effect.forEach(yield* Queue.clear(waiting), write)
        yield* files.close
      })
      yield* Effect.addFinalizer(() => flush)
      yield* turn.withPermit(Effect.andThen(Effect.catch(prepare, report), reportDamaged))
      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(waiting), write)))
      yield* Effect.forkScoped(Stream.runForEach(samples, ({ figures }) => record(figures)))

      return HistoryStore.of({
        retention: Duration.toMillis(historyRetention),
        read: (tier, series, from, to) =>
          files.read(tier, series, from, to).pipe(
            Effect.catch((error) => Effect.as(report(error), new Map())),
            Effect.tap(reportDamaged),
            turn.withPermit
          )
      })
    })
  )
}
