/**
 * The past of series, for charts. Requests for topics within 50 ms are batched into one, which is repeated at the interval
 * of the server's points.
 */
import { Effect, Exit, Request, RequestResolver } from "effect"
import { Atom } from "effect/reactivity"
import type { HistoryResponse, HistorySeries } from "../../protocol/http/admin/AdminLive.ts"
import { AdminClient } from "../core/api.ts"

/** A series and the times of its values. */
export interface Series {
  readonly times: ReadonlyArray<number>
  readonly values: HistorySeries
}

class TopicHistory extends Request.TaggedClass("TopicHistory")<{ readonly topic: string }, Series | undefined> {}

/** Limit for topics in a request: an hour of 25 has 22,500 numbers, whose decoding is enough for a task of the browser. */
const maxTopics = 25
const gatherFor = "50 millis"
const refreshEvery = "20 seconds"

const pick = ({ series, times }: HistoryResponse, topic: string): Series | undefined => {
  const values = series.find((one) => one.topic === topic)
  return values === undefined ? undefined : { times, values }
}

const resolver = Effect.map(
  AdminClient,
  (client) =>
    RequestResolver.make<TopicHistory>((entries) =>
      Effect.gen(function*() {
        const topics = entries.map(({ request }) => request.topic).join(",")
        const response = yield* client.live.history({ query: { topics } })
        for (const { completeUnsafe, request } of entries) {
          completeUnsafe(Exit.succeed(pick(response, request.topic)))
        }
      }).pipe(Effect.orDie)
    ).pipe(RequestResolver.batchN(maxTopics), RequestResolver.setDelay(gatherFor))
)

const resolverAtom = Atom.keepAlive(AdminClient.runtime.atom(resolver))

/** The past hour of a topic over all nsqds; undefined if unknown. */
export const topicHistory = Atom.family((topic: string) =>
  AdminClient.runtime.atom(
    Effect.fnUntraced(function*(get: Atom.AtomContext) {
      return yield* Effect.request(new TopicHistory({ topic }), yield* get.result(resolverAtom))
    })
  ).pipe(Atom.withRefresh(refreshEvery))
)

/** The past hour of all series of a topic: the topic, its channels, and both on each nsqd. */
export const detailHistory = Atom.family((topic: string) =>
  AdminClient.query("live", "history", { query: { topics: topic, detail: "true" } }).pipe(
    Atom.withRefresh(refreshEvery)
  )
)

/** A part of the past of a topic, or of a channel if its name is not empty. */
export interface PastRange {
  readonly topic: string
  readonly channel: string
  /** Milliseconds. */
  readonly span: number
  /** Unix milliseconds of its end; 0 for now. */
  readonly to: number
  /** How many milliseconds earlier. */
  readonly before: number
}

/** A part of the past; repeated at the interval of the server's points if it ends now. */
export const rangeHistory = Atom.family(({ before, channel, span, to, topic }: PastRange) => {
  const query = AdminClient.query("live", "history", {
    query: {
      topics: topic,
      ...(channel === "" ? {} : { channel }),
      span,
      ...(to === 0 ? {} : { to }),
      ...(before === 0 ? {} : { before })
    }
  })
  return to === 0 ? query.pipe(Atom.withRefresh(refreshEvery)) : query
})
