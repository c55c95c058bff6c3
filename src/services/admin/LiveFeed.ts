/**
 * What browsers are told of the cluster: everything at first, then what has changed since they were told last. A browser that is
 * slow misses samples, not changes.
 */
import { Context, Effect, Layer, Stream } from "effect"
import { BadRequest } from "../../protocol/admin/AdminFailure.ts"
import type { HistoryAnswer, LiveSample } from "../../protocol/admin/AdminLive.ts"
import { isTopicName } from "../../protocol/Names.ts"
import * as Figures from "./Figures.ts"
import { History } from "./History.ts"
import { type Sample, Sampler } from "./Sampler.ts"

/** The charts of a page need no more at a time. */
const maxTopics = 200

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
  /** The past hour of up to 200 topics, or with `isDetailed` of everything that belongs to them. */
  readonly history: (topics: ReadonlyArray<string>, isDetailed: boolean) => Effect.Effect<HistoryAnswer, BadRequest>
}>()("effect-nsq/admin/LiveFeed") {
  static readonly layer: Layer.Layer<LiveFeed, never, Sampler | History> = Layer.effect(
    LiveFeed,
    Effect.gen(function*() {
      const sampler = yield* Sampler
      const history = yield* History
      return LiveFeed.of({
        samples: (topic) =>
          Stream.mapAccum(sampler.samples, (): Sample | undefined => undefined, (before, sample) => [
            sample,
            [changes(before, sample, topic)]
          ]),
        history: (topics, isDetailed) => {
          const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))
          if (topics.length > maxTopics) return refuse("TOO_MANY_TOPICS")
          return topics.every(isTopicName) ? history.read(topics, isDetailed) : refuse("INVALID_TOPIC")
        }
      })
    })
  )
}
