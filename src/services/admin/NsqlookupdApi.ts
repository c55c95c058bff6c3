/**
 * nsqlookupd's HTTP API as typed calls (docs/protocol/http.md#nsqlookupd-endpoints), for this project's nsqlookupd and NSQ's own.
 * `Discovery.watch` of the client streams the producers of a topic.
 */
import { Effect, Schema } from "effect"
import type { HttpClient } from "effect/http"
import { Text } from "../../protocol/http/Lenient.ts"
import { Channels, Lookup, type Node, Nodes, Topics } from "../../protocol/http/LookupResponse.ts"
import type { AdminError } from "./AdminError.ts"
import * as AdminRequests from "./AdminRequests.ts"

/** `GET /info` of nsqlookupd. */
const LookupInfo = Schema.Struct({ version: Text, effect_nsq_version: Text })

/**
 * The calls to one nsqlookupd. They fail with an `AdminError`. Its reason is `TopicNotFound` or `ChannelNotFound` for one that does not
 * exist, `Refusal` with NSQ's code for other refusals, and `RequestFailure` if there is no complete response.
 *
 * @since 0.2.0
 * @category models
 */
export interface NsqlookupdApi {
  /** The address, as given. */
  readonly address: string
  readonly ping: Effect.Effect<void, AdminError>
  /** NSQ's version, and that of effect-nsq, which is empty for NSQ's nsqlookupd. */
  readonly info: Effect.Effect<typeof LookupInfo.Type, AdminError>
  /** The metrics in the text format of Prometheus. NSQ's nsqlookupd does not have it. */
  readonly metrics: Effect.Effect<string, AdminError>
  /** All topics, in no particular order. */
  readonly topics: Effect.Effect<ReadonlyArray<string>, AdminError>
  /** The channels of a topic; none for an unknown topic. */
  readonly channels: (topic: string) => Effect.Effect<ReadonlyArray<string>, AdminError>
  /** The channels of a topic, and the nsqds that have it. Fails with the reason `TopicNotFound`. */
  readonly lookup: (topic: string) => Effect.Effect<Lookup, AdminError>
  /** All nsqds and their topics. */
  readonly nodes: Effect.Effect<ReadonlyArray<Node>, AdminError>
  /** Makes a topic known. Does not create it on any nsqd. */
  readonly createTopic: (topic: string) => Effect.Effect<void, AdminError>
  /** Forgets a topic and its channels, until an nsqd registers them again. */
  readonly deleteTopic: (topic: string) => Effect.Effect<void, AdminError>
  /** Hides the topic of an nsqd, `broadcast_address:http_port`, from consumers for a while. */
  readonly tombstone: (topic: string, node: string) => Effect.Effect<void, AdminError>
  /** Makes a channel and its topic known. An nsqd that creates the topic later creates the channel, too. */
  readonly createChannel: (topic: string, channel: string) => Effect.Effect<void, AdminError>
  /** Forgets a channel, until an nsqd registers it again. */
  readonly deleteChannel: (topic: string, channel: string) => Effect.Effect<void, AdminError>
}

/**
 * Returns the calls to the nsqlookupd with its HTTP API at `address`: `host:port`, or `http(s)://host:port`.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const nsqlookupd = yield* NsqlookupdApi.make("127.0.0.1:4161")
 *   const { producers } = yield* nsqlookupd.lookup("orders")
 * }).pipe(Effect.provide(FetchHttpClient.layer))
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(
  address: string,
  options: AdminRequests.AdminOptions = {}
): Effect.fn.Return<NsqlookupdApi, never, HttpClient.HttpClient> {
  const { check, get, post, send } = yield* AdminRequests.make(address, options)
  return {
    address,
    ping: check("/ping"),
    info: get(LookupInfo, "/info"),
    metrics: Effect.map(send({ method: "GET", path: "/metrics" }), ({ body }) => body.toString()),
    topics: Effect.map(get(Topics, "/topics"), ({ topics }) => topics),
    channels: (topic) => Effect.map(get(Channels, "/channels", { topic }), ({ channels }) => channels),
    lookup: (topic) => get(Lookup, "/lookup", { topic }),
    nodes: Effect.map(get(Nodes, "/nodes"), ({ producers }) => producers),
    createTopic: (topic) => post("/topic/create", { topic }),
    deleteTopic: (topic) => post("/topic/delete", { topic }),
    tombstone: (topic, node) => post("/topic/tombstone", { topic, node }),
    createChannel: (topic, channel) => post("/channel/create", { topic, channel }),
    deleteChannel: (topic, channel) => post("/channel/delete", { topic, channel })
  }
})
