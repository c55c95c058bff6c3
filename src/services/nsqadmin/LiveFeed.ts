/**
 * The live figures for browsers: first the full state, then the changes since the previous event of that browser. A slow
 * browser misses samples, not changes.
 */
import { Context, Effect, Layer, type Scope, Stream } from "effect"
import { isChannelName, isTopicName } from "../../protocol/client/Names.ts"
import { BadRequest, Unavailable } from "../../protocol/http/admin/AdminFailure.ts"
import {
  type HistoryResponse,
  type LiveSample,
  maxChannelsOfNode,
  maxTopicsOfNode
} from "../../protocol/http/admin/AdminLive.ts"
import * as Places from "../core/Places.ts"
import * as Turns from "../core/Turns.ts"
import * as Figures from "./Figures.ts"
import { History, type Range } from "./History.ts"
import { Mutes } from "./Mutes.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"
import { type Sample, Sampler } from "./Sampler.ts"

/** Limit for topics in a request for history: the browser's client splits larger requests. */
const maxTopics = 200

const limitsOfNode: Figures.NodeLimits = { topics: maxTopicsOfNode, channels: maxChannelsOfNode }

/** Limits for the time of a range, in milliseconds. */
const shortestSpan = 60_000
const longestSpan = 366 * 86_400_000

/** Limit for topics, and for points, in an event. */
const maxPart = 100

/** The series that a client wants: of a topic, or of an nsqd. */
export interface Wanted {
  readonly topic?: string | undefined
  /** `host:port` of the nsqd's HTTP API; ignored with a topic. */
  readonly node?: string | undefined
}

const pointsOf = ({ node, topic }: Wanted, figures: Figures.ClusterFigures): LiveSample["points"] => {
  if (topic !== undefined) return Figures.pointsOfTopic(topic, figures)
  return node === undefined ? [] : Figures.pointsOfNode(node, figures, limitsOfNode)
}

type TopicChanges = Pick<LiveSample, "topics" | "gone">

/** Returns the topics that changed since the sample `before`, or all without it. */
const topicChanges = (before: Sample | undefined, { figures }: Sample): TopicChanges => {
  const known = before?.figures.topics
  const topics: Array<LiveSample["topics"][number]> = []
  for (const [name, { summary }] of figures.topics) {
    if (!Figures.isUnchanged(known?.get(name)?.summary, summary)) topics.push(summary)
  }
  return { topics, gone: known === undefined ? [] : [...known.keys()].filter((name) => !figures.topics.has(name)) }
}

/** Returns `topicChanges` that computes the changes between two samples once for all browsers that have seen the first one. */
const sharedTopicChanges = (): typeof topicChanges => {
  let last: { readonly before: Sample; readonly sample: Sample; readonly changes: TopicChanges } | undefined
  return (before, sample) => {
    if (before === undefined) return topicChanges(before, sample)
    if (last?.before !== before || last.sample !== sample) {
      last = { before, sample, changes: topicChanges(before, sample) }
    }
    return last.changes
  }
}

/** Returns the events of a sample: all but the last have topics and points only. */
const partsOf = (sample: LiveSample): ReadonlyArray<LiveSample> => {
  const { points, topics } = sample
  const count = Math.max(1, Math.ceil(topics.length / maxPart), Math.ceil(points.length / maxPart))
  return Array.from({ length: count }, (_, i) => {
    const part = {
      ...sample,
      topics: topics.slice(i * maxPart, (i + 1) * maxPart),
      points: points.slice(i * maxPart, (i + 1) * maxPart)
    }
    return i === count - 1 ? part : { ...part, more: true, gone: [], daemons: [], nodes: [], warnings: [], message: "" }
  })
}

/** Live figures and history, with limits for clients. */
export class LiveFeed extends Context.Service<LiveFeed, {
  /**
   * Returns the events of a new client: the full state, then changes, with the series that it wants. The client counts
   * until the Scope closes. Fails beyond `--max-live-clients`.
   */
  readonly samples: (
    wanted: Wanted
  ) => Effect.Effect<Stream.Stream<LiveSample>, Unavailable, Scope.Scope>
  /** Returns the past hour of at most 200 topics; with `isDetailed` also of their channels and nodes. */
  readonly history: (topics: ReadonlyArray<string>, isDetailed: boolean) => Effect.Effect<HistoryResponse, BadRequest>
  /** Returns a range of the history of a topic or channel. Fails for invalid names and times. */
  readonly range: (range: Range) => Effect.Effect<HistoryResponse, BadRequest>
}>()("effect-nsq/admin/LiveFeed") {
  static readonly layer: Layer.Layer<LiveFeed, never, Sampler | History | Mutes> = Layer.effect(
    LiveFeed,
    Effect.gen(function*() {
      const sampler = yield* Sampler
      const history = yield* History
      const mutes = yield* Mutes
      const { maxLiveClients } = yield* NsqadminOptions
      const turns = yield* Turns.Turns
      const changesOf = sharedTopicChanges()
      const takePlace = Places.make(
        maxLiveClients,
        () =>
          Unavailable.make({
            message: `TOO_MANY_LIVE_CLIENTS: the limit is ${maxLiveClients}; raise --max-live-clients`
          })
      )
      return LiveFeed.of({
        samples: (wanted) =>
          Effect.as(
            takePlace,
            Stream.mapAccum(sampler.samples, (): Sample | undefined => undefined, (before, sample) => {
              const { at, daemons, figures, message, nodes, warnings } = sample
              return [
                sample,
                partsOf({
                  at,
                  full: before === undefined,
                  more: false,
                  ...changesOf(before, sample),
                  points: pointsOf(wanted, figures),
                  daemons,
                  nodes,
                  warnings: mutes.apply(warnings),
                  message
                })
              ]
            }).pipe(
              Stream.rechunk(1),
              // Each part is encoded for each browser, of which there may be many.
              Stream.tap(() => Effect.suspend(() => turns.isOver() ? turns.next : Effect.void))
            )
          ),
        history: (topics, isDetailed) => {
          const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))
          if (topics.length > maxTopics) return refuse("TOO_MANY_TOPICS")
          return topics.every(isTopicName) ? history.read(topics, isDetailed) : refuse("INVALID_TOPIC")
        },
        range: (range) => {
          const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))
          const { before, channel, span, to = 0, topic } = range
          if (!isTopicName(topic)) return refuse("INVALID_TOPIC")
          if (channel !== "" && !isChannelName(channel)) return refuse("INVALID_CHANNEL")
          const isTime = (time: number) => Number.isFinite(time) && time >= 0
          return span >= shortestSpan && span <= longestSpan && isTime(before) && isTime(to)
            ? history.range(range)
            : refuse("INVALID_SPAN")
        }
      })
    })
  )
}
