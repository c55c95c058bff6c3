/**
 * What browsers are told of the cluster: everything at first, then what has changed since they were told last. A browser that is
 * slow misses samples, not changes.
 */
import { Context, Effect, Layer, Stream } from "effect"
import type { LiveSample } from "../../protocol/admin/AdminLive.ts"
import * as Figures from "./Figures.ts"
import { type Sample, Sampler } from "./Sampler.ts"

/** What one is to be told who was told of `before`. */
const changes = (before: Sample | undefined, sample: Sample, topic: string | undefined): LiveSample => {
  const { at, daemons, figures, message, warnings } = sample
  const known = before?.figures.topics
  const topics = Array.from(figures.topics.values()).flatMap(({ summary }) =>
    Figures.isUnchanged(known?.get(summary.topic)?.summary, summary) ? [] : [summary]
  )
  const asked = topic === undefined ? undefined : figures.topics.get(topic)
  return {
    at,
    full: before === undefined,
    topics,
    gone: known === undefined ? [] : [...known.keys()].filter((name) => !figures.topics.has(name)),
    points: topic === undefined || asked === undefined ? [] : Figures.points(topic, asked),
    daemons,
    warnings,
    message
  }
}

export class LiveFeed extends Context.Service<LiveFeed, {
  /** The cluster as it changes, with the series of `topic` where it is given. Each consumer is told in its own time. */
  readonly samples: (topic: string | undefined) => Stream.Stream<LiveSample>
}>()("effect-nsq/admin/LiveFeed") {
  static readonly layer: Layer.Layer<LiveFeed, never, Sampler> = Layer.effect(
    LiveFeed,
    Effect.gen(function*() {
      const sampler = yield* Sampler
      return LiveFeed.of({
        samples: (topic) =>
          Stream.mapAccum(sampler.samples, (): Sample | undefined => undefined, (before, sample) => [
            sample,
            [changes(before, sample, topic)]
          ])
      })
    })
  )
}
