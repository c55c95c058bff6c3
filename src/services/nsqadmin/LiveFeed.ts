/**
 * What browsers are told of the cluster: everything at first, then what has changed since they were told last. A browser that is
 * slow misses samples, not changes.
 */
import { Context, Effect, Layer, type Scope, Stream } from "effect"
import { isTopicName } from "../../protocol/client/Names.ts"
import { BadRequest, Unavailable } from "../../protocol/http/admin/AdminFailure.ts"
import type { HistoryAnswer, LiveSample } from "../../protocol/http/admin/AdminLive.ts"
import * as Figures from "./Figures.ts"
import { History } from "./History.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"
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
  /**
   * The cluster as it changes, with the series of `topic` where it is given, until the Scope closes. Each consumer is told in
   * its own time. Fails when there are too many.
   */
  readonly samples: (
    topic: string | undefined
  ) => Effect.Effect<Stream.Stream<LiveSample>, Unavailable, Scope.Scope>
  /** The past hour of up to 200 topics, or with `isDetailed` of everything that belongs to them. */
  readonly history: (topics: ReadonlyArray<string>, isDetailed: boolean) => Effect.Effect<HistoryAnswer, BadRequest>
}>()("effect-nsq/admin/LiveFeed") {
  static readonly layer: Layer.Layer<LiveFeed, never, Sampler | History> = Layer.effect(
    LiveFeed,
    Effect.gen(function*() {
      const sampler = yield* Sampler
      const history = yield* History
      const { maxLiveClients } = yield* NsqadminOptions
      let clients = 0
      const occupy = Effect.acquireRelease(
        Effect.suspend(() =>
          maxLiveClients <= 0 || clients < maxLiveClients
            ? Effect.sync(() => void clients++)
            : Effect.fail(
              Unavailable.make({
                message: `TOO_MANY_LIVE_CLIENTS: there are ${maxLiveClients} already (--max-live-clients)`
              })
            )
        ),
        () => Effect.sync(() => void clients--)
      )
      return LiveFeed.of({
        samples: (topic) =>
          Effect.as(
            occupy,
            Stream.mapAccum(sampler.samples, (): Sample | undefined => undefined, (before, sample) => [
              sample,
              [changes(before, sample, topic)]
            ])
          ),
        history: (topics, isDetailed) => {
          const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))
          if (topics.length > maxTopics) return refuse("TOO_MANY_TOPICS")
          return topics.every(isTopicName) ? history.read(topics, isDetailed) : refuse("INVALID_TOPIC")
        }
      })
    })
  )
}
