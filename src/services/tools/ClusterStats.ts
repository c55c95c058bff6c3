/**
 * The figures of one channel, added up over all nsqd that have the topic. The nsqd are configured, or found by nsqlookupd. If
 * any daemon fails, the query fails: a sum without it would mislead.
 */
import { Effect, Result } from "effect"
import { Info } from "../../protocol/http/InfoResponse.ts"
import { Lookup } from "../../protocol/http/LookupResponse.ts"
import * as StatsResponse from "../../protocol/http/StatsResponse.ts"
import * as ChannelSum from "../cluster/ChannelSum.ts"
import { DaemonHttp } from "../http/DaemonHttp.ts"
import type { HttpError } from "../http/HttpError.ts"
import { DaemonNetworks, type Origin } from "../net/DaemonNetworks.ts"
import { joinAddress, splitAddress } from "../net/Transport.ts"
import { type ToolError, toolError } from "./ToolError.ts"

/** Addresses, `host:port`, of either kind. */
export type Sources = { readonly nsqd: ReadonlyArray<string> } | { readonly lookupd: ReadonlyArray<string> }

/** The HTTP address of an nsqd, and where the address came from. */
export interface Named {
  readonly address: string
  readonly origin: Origin
}

/** Queries all daemons concurrently. Fails if any fails, with the errors of all. */
const requestAll = <A, B>(
  from: ReadonlyArray<A>,
  what: string,
  request: (one: A) => Effect.Effect<B, HttpError>
): Effect.Effect<ReadonlyArray<B>, ToolError> =>
  Effect.flatMap(
    Effect.forEach(from, (one) => Effect.result(request(one)), { concurrency: "unbounded" }),
    (results) => {
      const responses = results.filter(Result.isSuccess).map(({ success }) => success)
      const reasons = results.filter(Result.isFailure).map(({ failure }) => failure.message).join("\n")
      if (responses.length === 0) {
        return Effect.fail(
          toolError("DaemonFailure", `failed to query any ${what}: ${reasons}`)
        )
      }
      return reasons === "" ? Effect.succeed(responses) : Effect.fail(toolError("DaemonFailure", reasons))
    }
  )

/** Returns the HTTP addresses of the nsqd that have the topic. */
export const topicProducers = Effect.fnUntraced(function*(
  sources: Sources,
  topic: string
): Effect.fn.Return<ReadonlyArray<Named>, ToolError, DaemonHttp> {
  const daemons = yield* DaemonHttp
  const networks = yield* DaemonNetworks
  const query = `topic=${encodeURIComponent(topic)}`
  if ("lookupd" in sources) {
    const responses = yield* requestAll(sources.lookupd, "nsqlookupd", (lookupd) =>
      Effect.gen(function*() {
        const { producers } = yield* daemons.get(Lookup, lookupd, `/lookup?${query}`)
        const origin = yield* networks.originBy(lookupd)
        return producers.map(({ broadcast_address, http_port }): Named => ({
          address: joinAddress(broadcast_address, http_port),
          origin
        }))
      }))
    const unique = new Map<string, Named>()
    for (const named of responses.flat()) {
      if (named.origin === "loopback" || !unique.has(named.address)) unique.set(named.address, named)
    }
    return [...unique.values()]
  }
  const found = yield* requestAll(sources.nsqd, "nsqd", (address) =>
    Effect.gen(function*() {
      const path = `/stats?format=json&${query}&include_clients=false`
      const { topics } = yield* daemons.getByTopic(StatsResponse.StatsByTopic, address, path)
      if (topics === null || topics.every(({ topic_name }) => topic_name !== topic)) return []
      const { broadcast_address: host, http_port: port } = yield* daemons.get(Info, address, "/info")
      // Very old servers do not report their address.
      const named = host === "" ? address : joinAddress(host, port === 0 ? splitAddress(address)?.port ?? 0 : port)
      const origin: Origin = named === address ? "configured" : yield* networks.originBy(address)
      return [{ address: named, origin }]
    }))
  return found.flat()
})

/** Returns the sum of a channel's figures over these nsqd; `undefined` if none has the channel. */
export const channelStats = Effect.fnUntraced(function*(
  producers: ReadonlyArray<Named>,
  topic: string,
  channel: string
): Effect.fn.Return<ChannelSum.ChannelSum | undefined, ToolError, DaemonHttp> {
  const daemons = yield* DaemonHttp
  const query = `topic=${encodeURIComponent(topic)}&channel=${encodeURIComponent(channel)}`
  const responses = yield* requestAll(
    producers,
    "nsqd",
    ({ address, origin }) =>
      daemons.getByTopic(
        StatsResponse.StatsByTopic,
        address,
        `/stats?format=json&${query}&include_clients=false`,
        origin
      )
  )
  const found = responses
    .flatMap(({ topics }) => topics ?? [])
    .filter(({ topic_name }) => topic_name === topic)
    .flatMap(({ channels }) => channels)
    .filter(({ channel_name }) => channel_name === channel)
  return found.length === 0 ? undefined : ChannelSum.sum(found)
})
