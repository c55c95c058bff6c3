/**
 * nsqd's HTTP API as typed calls (docs/protocol/http.md#nsqd-endpoints), for this project's nsqd and NSQ's own.
 */
import { Effect, Schema, type Stream } from "effect"
import type { HttpClient } from "effect/http"
import { HeadersError } from "../../protocol/client/Headers.ts"
import { type Connection, Connections } from "../../protocol/http/ClientsResponse.ts"
import { DrainProgress } from "../../protocol/http/DrainResponse.ts"
import { Info } from "../../protocol/http/InfoResponse.ts"
import { BrowsedMessage, MessagesPage } from "../../protocol/http/MessagesResponse.ts"
import { NodeStatus } from "../../protocol/http/NodeResponse.ts"
import { ListedPolicy, type Policy, PolicyInForce, PolicyList } from "../../protocol/http/PoliciesResponse.ts"
import { RedriveProgress } from "../../protocol/http/RedriveResponse.ts"
import { SeekResponse } from "../../protocol/http/SeekResponse.ts"
import { Stats } from "../../protocol/http/StatsResponse.ts"
import type { AdminError } from "./AdminError.ts"
import * as AdminRequests from "./AdminRequests.ts"
import { batchOf, bytesOf, type HttpBatchOptions, type HttpPublishOptions, requestOf } from "./HttpPublish.ts"
import type {
  BrowseOptions,
  ConnectionOptions,
  LogPlace,
  ReadOptions,
  RedriveOptions,
  StatsOptions,
  TopicDurability
} from "./NsqdCallOptions.ts"

export type { HttpBatchOptions, HttpPublishOptions } from "./HttpPublish.ts"
export type {
  BrowseOptions,
  ConnectionOptions,
  LogPlace,
  ReadOptions,
  RedriveOptions,
  StatsOptions,
  TopicDurability
} from "./NsqdCallOptions.ts"

/**
 * The calls to one nsqd. They fail with an `AdminError`. Its reason is `TopicNotFound` or `ChannelNotFound` for one that does not exist,
 * `Refusal` with NSQ's code for other refusals, and `RequestFailure` if there is no complete response.
 *
 * @since 0.2.0
 * @category models
 */
export interface NsqdApi {
  /** The address, as given. */
  readonly address: string
  /** Fails with the reason `Unhealthy` if the disk cannot be used. */
  readonly ping: Effect.Effect<void, AdminError>
  /** Fails with the reason `Unhealthy` while nsqd starts or stops, too. NSQ's nsqd does not have it. */
  readonly ready: Effect.Effect<void, AdminError>
  /** The version, the addresses and the limits. */
  readonly info: Effect.Effect<Info, AdminError>
  /** Topics, channels and clients with their figures. `topics` is null or empty if the requested topic does not exist. */
  readonly stats: (options?: StatsOptions) => Effect.Effect<Stats, AdminError>
  /** The metrics in the text format of Prometheus. NSQ's nsqd does not have it. */
  readonly metrics: Effect.Effect<string, AdminError>
  /** Publishes a message, and creates the topic if needed. */
  readonly publish: (
    topic: string,
    body: Uint8Array | string,
    options?: HttpPublishOptions
  ) => Effect.Effect<void, AdminError>
  /** Publishes messages with one request: all of them or none. Does nothing for an empty list. */
  readonly publishAll: (
    topic: string,
    bodies: ReadonlyArray<Uint8Array | string>,
    options?: HttpBatchOptions
  ) => Effect.Effect<void, AdminError>
  /** Creates a topic. Succeeds if it exists. */
  readonly createTopic: (topic: string) => Effect.Effect<void, AdminError>
  /** Deletes a topic with its channels and messages. */
  readonly deleteTopic: (topic: string) => Effect.Effect<void, AdminError>
  /** Deletes the messages that no channel has yet. */
  readonly emptyTopic: (topic: string) => Effect.Effect<void, AdminError>
  /** Stops the flow of messages from the topic to its channels. */
  readonly pauseTopic: (topic: string) => Effect.Effect<void, AdminError>
  readonly unpauseTopic: (topic: string) => Effect.Effect<void, AdminError>
  /**
   * Changes the durability of an existing topic, or resets it to that of nsqd's options. Returns the durability from now on. NSQ's
   * nsqd does not have it.
   */
  readonly setDurability: (
    topic: string,
    durability: TopicDurability | "default"
  ) => Effect.Effect<TopicDurability, AdminError>
  /** Creates a channel of an existing topic. Succeeds if it exists. */
  readonly createChannel: (topic: string, channel: string) => Effect.Effect<void, AdminError>
  /** Deletes a channel with its messages, and ends the connections of its consumers. */
  readonly deleteChannel: (topic: string, channel: string) => Effect.Effect<void, AdminError>
  /** Deletes the messages of a channel, those in flight included. */
  readonly emptyChannel: (topic: string, channel: string) => Effect.Effect<void, AdminError>
  /** Stops deliveries. */
  readonly pauseChannel: (topic: string, channel: string) => Effect.Effect<void, AdminError>
  readonly unpauseChannel: (topic: string, channel: string) => Effect.Effect<void, AdminError>
  /**
   * Moves a channel of a durable topic to another place of the topic's log, from where its messages come (again). With `preview` it stays
   * where it is, and the response has the number of the messages. Fails with the code `NOT_DURABLE` for a topic without a log. NSQ's nsqd
   * does not have this and the following calls.
   *
   * @since 0.2.0
   */
  readonly seek: (
    topic: string,
    channel: string,
    to: LogPlace,
    options?: { readonly preview?: boolean }
  ) => Effect.Effect<SeekResponse, AdminError>
  /**
   * Finishes a single message of a channel, also one that is in flight or deferred: by its sequence, or by its id if the topic is not
   * durable. Fails with the code `MESSAGE_NOT_FOUND` if the channel does not have it, and with `MESSAGE_ON_DISK` if it is in the files of
   * the channel's disk queue.
   *
   * @since 0.2.0
   */
  readonly deleteMessage: (topic: string, channel: string, message: number | string) => Effect.Effect<void, AdminError>
  /**
   * Takes a single message out of flight, or ends its delay, so that it is delivered next: by its sequence, or by its id if the topic is
   * not durable. Fails with the code `MESSAGE_NOT_FOUND` if the message is neither in flight nor deferred.
   *
   * @since 0.2.0
   */
  readonly requeueMessage: (topic: string, channel: string, message: number | string) => Effect.Effect<void, AdminError>
  /**
   * Rejects a message in flight by its id: it becomes a dead letter with the reason. Fails with the code `MESSAGE_NOT_IN_FLIGHT` if no
   * consumer holds it. Default of `reason`: `rejected`.
   *
   * @since 0.2.0
   */
  readonly rejectMessage: (
    topic: string,
    channel: string,
    id: string,
    reason?: string
  ) => Effect.Effect<void, AdminError>
  /**
   * The policies of this nsqd, the one with the highest precedence first (docs/policies.md).
   *
   * @since 0.2.0
   */
  readonly policies: Effect.Effect<ReadonlyArray<ListedPolicy>, AdminError>
  /**
   * The fields in force for a topic, or for a channel of it, and the policy that each comes from. The topic and the channel need not exist.
   *
   * @since 0.2.0
   */
  readonly policyInForce: (topic: string, channel?: string) => Effect.Effect<PolicyInForce, AdminError>
  /**
   * Sets a policy in place of an earlier one with the same pattern. Fails with the code `INVALID_POLICY`; the description has the field and
   * the reason.
   *
   * @since 0.2.0
   */
  readonly setPolicy: (policy: Policy) => Effect.Effect<ListedPolicy, AdminError>
  /**
   * Deletes the policy with this pattern. Fails with the code `POLICY_NOT_FOUND`, and with `POLICY_OF_CONFIG` for one of nsqd's options.
   *
   * @since 0.2.0
   */
  readonly deletePolicy: (match: string) => Effect.Effect<void, AdminError>
  /**
   * Returns an option by its config key (docs/protocol/http.md#config): a string, number, boolean or list. Durations are
   * nanoseconds.
   */
  readonly config: (key: string) => Effect.Effect<Schema.Json, AdminError>
  /**
   * Begins to drain nsqd: it refuses publishes, and serves consumers until its queues are empty. Returns what it still has. NSQ's nsqd
   * does not have it.
   *
   * @since 0.2.0
   */
  readonly drain: Effect.Effect<DrainProgress, AdminError>
  /**
   * Returns whether nsqd drains, and what it still has. NSQ's nsqd does not have it.
   *
   * @since 0.2.0
   */
  readonly drainProgress: Effect.Effect<DrainProgress, AdminError>
  /**
   * Ends a drain: nsqd accepts publishes again. NSQ's nsqd does not have it.
   *
   * @since 0.2.0
   */
  readonly endDrain: Effect.Effect<void, AdminError>
  /**
   * Returns figures of nsqd's process and machine. NSQ's nsqd does not have them.
   *
   * @since 0.2.0
   */
  readonly node: Effect.Effect<NodeStatus, AdminError>
  /**
   * Returns the connections of clients, all or those that the options name. NSQ's nsqd does not have the list.
   *
   * @since 0.2.0
   */
  readonly connections: (options?: ConnectionOptions) => Effect.Effect<ReadonlyArray<Connection>, AdminError>
  /**
   * Ends the connection of the client with this remote address, `host:port`; its messages in flight return to the channel at once. NSQ's
   * nsqd does not have it.
   *
   * @since 0.2.0
   */
  readonly closeConnection: (address: string) => Effect.Effect<void, AdminError>
  /**
   * Returns messages of a topic or a channel, without consuming them. `next` of the page is the `from` of the next one: a number for a
   * durable topic, otherwise a text; null after the last message. NSQ's nsqd does not have it.
   *
   * @since 0.2.0
   */
  readonly messages: (topic: string, options?: BrowseOptions) => Effect.Effect<MessagesPage, AdminError>
  /**
   * Reads a range of a durable topic's messages with whole bodies, without consuming them and without a channel. nsqd reads on as the
   * stream is read. The timeout of the client is that of the beginning. Fails with the code `NOT_DURABLE` for a topic without a log. NSQ's
   * nsqd does not have it.
   *
   * ```ts
   * const yesterday = Stream.unwrap(Effect.map(NsqdApi.make("127.0.0.1:4151"), (nsqd) =>
   *   nsqd.readMessages("orders", { from: new Date("2026-11-29"), to: new Date("2026-11-30") })))
   * ```
   *
   * @since 0.2.0
   */
  readonly readMessages: (topic: string, options?: ReadOptions) => Stream.Stream<BrowsedMessage, AdminError>
  /**
   * Begins to publish the dead letters of a topic again. NSQ's nsqd does not have it.
   *
   * @since 0.2.0
   */
  readonly redrive: (topic: string, options?: RedriveOptions) => Effect.Effect<RedriveProgress, AdminError>
  /**
   * Returns how far the last redrive of a topic is. NSQ's nsqd does not have it.
   *
   * @since 0.2.0
   */
  readonly redriveProgress: (topic: string) => Effect.Effect<RedriveProgress, AdminError>
  /**
   * Ends a redrive. NSQ's nsqd does not have it.
   *
   * @since 0.2.0
   */
  readonly cancelRedrive: (topic: string) => Effect.Effect<RedriveProgress, AdminError>
  /** Sets the nsqlookupds to register at, `host:port` each, until nsqd ends. */
  readonly setLookupdAddresses: (addresses: ReadonlyArray<string>) => Effect.Effect<void, AdminError>
  /** Sets the log level, until nsqd ends. */
  readonly setLogLevel: (level: "debug" | "info" | "warn" | "error" | "fatal") => Effect.Effect<void, AdminError>
  /** Collects garbage now. */
  readonly freeMemory: Effect.Effect<void, AdminError>
}

const placeText = (place: LogPlace): string => place instanceof Date ? place.toISOString() : String(place)

const nameOf = (message: number | string) => typeof message === "number" ? { sequence: message } : { id: message }

const decodeJson = Schema.decodeEffect(Schema.fromJsonString(Schema.Json))

const Durable = Schema.Struct({ durability: Schema.Literals(["memory", "written", "synced"]) })
const decodeDrain = Schema.decodeEffect(Schema.fromJsonString(DrainProgress))
const decodeRedrive = Schema.decodeEffect(Schema.fromJsonString(RedriveProgress))
const decodeDurable = Schema.decodeEffect(Schema.fromJsonString(Durable))
const decodeSeek = Schema.decodeEffect(Schema.fromJsonString(SeekResponse))
const decodePolicy = Schema.decodeEffect(Schema.fromJsonString(ListedPolicy))

/**
 * Returns the calls to the nsqd with its HTTP API at `address`: `host:port`, or `http(s)://host:port`, where user information becomes
 * basic authentication. If nsqd requires TLS, requests go to its HTTPS port.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const nsqd = yield* NsqdApi.make("127.0.0.1:4151")
 *   yield* nsqd.createTopic("orders")
 *   yield* nsqd.createChannel("orders", "kitchen")
 *   const { topics } = yield* nsqd.stats({ topic: "orders" })
 * }).pipe(Effect.provide(FetchHttpClient.layer))
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(
  address: string,
  options: AdminRequests.AdminOptions = {}
): Effect.fn.Return<NsqdApi, never, HttpClient.HttpClient> {
  const { check, get, invalid, lines, post, refused, send } = yield* AdminRequests.make(address, options)
  const onTopic = (action: string) => (topic: string) => post(`/topic/${action}`, { topic })
  const onChannel = (action: string) => (topic: string, channel: string) =>
    post(`/channel/${action}`, { topic, channel })
  const putConfig = (key: string, value: string) =>
    Effect.asVoid(send({ method: "PUT", path: `/config/${key}`, body: Buffer.from(value) }))

  const publish = (path: string, own: AdminRequests.Parameters, body: Uint8Array, options: HttpPublishOptions) => {
    const request = requestOf(options)
    if (request instanceof HeadersError) return Effect.fail(refused(`INVALID_HEADERS: ${request.reason}`))
    const { headers, parameters } = request
    return Effect.asVoid(
      send({ method: "POST", path, parameters: { ...own, ...parameters }, body, ...headers && { headers } })
    )
  }

  const redrive = (method: "POST" | "DELETE", parameters: AdminRequests.Parameters) =>
    Effect.flatMap(
      send({ method, path: "/topic/redrive", parameters }),
      ({ body }) => Effect.mapError(decodeRedrive(body.toString()), () => invalid(method, "/topic/redrive"))
    )

  return {
    address,
    ping: check("/ping"),
    ready: check("/ready"),
    info: get(Info, "/info"),
    stats: ({ channel, clients = true, memory = true, topic } = {}) =>
      get(Stats, "/stats", { format: "json", topic, channel, include_clients: clients, include_mem: memory }),
    metrics: Effect.map(send({ method: "GET", path: "/metrics" }), ({ body }) => body.toString()),
    publish: (topic, body, options = {}) => publish("/pub", { topic }, bytesOf(body), options),
    publishAll: (topic, bodies, options = {}) => {
      if (bodies.length === 0) return Effect.void
      return publish("/mpub", { topic, binary: true }, batchOf(bodies), options)
    },
    createTopic: onTopic("create"),
    deleteTopic: onTopic("delete"),
    emptyTopic: onTopic("empty"),
    pauseTopic: onTopic("pause"),
    unpauseTopic: onTopic("unpause"),
    setDurability: (topic, durability) =>
      Effect.flatMap(
        send({ method: "PUT", path: "/topic/durability", parameters: { topic, durability } }),
        ({ body }) =>
          Effect.mapBoth(decodeDurable(body.toString()), {
            onSuccess: (decoded) => decoded.durability,
            onFailure: () => invalid("PUT", "/topic/durability")
          })
      ),
    createChannel: onChannel("create"),
    deleteChannel: onChannel("delete"),
    emptyChannel: onChannel("empty"),
    pauseChannel: onChannel("pause"),
    unpauseChannel: onChannel("unpause"),
    seek: (topic, channel, to, { preview = false } = {}) =>
      Effect.flatMap(
        send({ method: "POST", path: "/channel/seek", parameters: { topic, channel, to: placeText(to), preview } }),
        ({ body }) => Effect.mapError(decodeSeek(body.toString()), () => invalid("POST", "/channel/seek"))
      ),
    deleteMessage: (topic, channel, message) =>
      Effect.asVoid(send({ method: "DELETE", path: "/messages", parameters: { topic, channel, ...nameOf(message) } })),
    requeueMessage: (topic, channel, message) => post("/messages/requeue", { topic, channel, ...nameOf(message) }),
    rejectMessage: (topic, channel, id, reason) => post("/message/reject", { topic, channel, id, reason }),
    policies: Effect.map(get(PolicyList, "/policies"), ({ policies }) => policies),
    policyInForce: (topic, channel) => get(PolicyInForce, "/policies", { topic, channel }),
    setPolicy: (policy) =>
      Effect.flatMap(
        send({ method: "PUT", path: "/policies", body: Buffer.from(JSON.stringify(policy)) }),
        ({ body }) => Effect.mapError(decodePolicy(body.toString()), () => invalid("PUT", "/policies"))
      ),
    deletePolicy: (match) => Effect.asVoid(send({ method: "DELETE", path: "/policies", parameters: { match } })),
    config: (key) => {
      const path = `/config/${encodeURIComponent(key)}`
      return Effect.flatMap(
        send({ method: "GET", path }),
        ({ body, headers }) =>
          headers["content-type"]?.startsWith("application/json") === true
            ? Effect.mapError(decodeJson(body.toString()), () => invalid("GET", path))
            : Effect.succeed(body.toString())
      )
    },
    drain: Effect.flatMap(
      send({ method: "PUT", path: "/drain" }),
      ({ body }) => Effect.mapError(decodeDrain(body.toString()), () => invalid("PUT", "/drain"))
    ),
    drainProgress: get(DrainProgress, "/drain"),
    endDrain: Effect.asVoid(send({ method: "DELETE", path: "/drain" })),
    node: get(NodeStatus, "/node"),
    connections: ({ address, channel, topic } = {}) =>
      Effect.map(get(Connections, "/clients", { address, channel, topic }), ({ clients }) => clients),
    closeConnection: (address) => post("/client/close", { address }),
    messages: (topic, { bodyBytes, state, ...options } = {}) =>
      get(MessagesPage, "/messages", {
        topic,
        ...options,
        state: state === undefined ? undefined : [state].flat().join(","),
        body_bytes: bodyBytes
      }),
    readMessages: (topic, { contains, from, json, regex, to } = {}) =>
      lines(BrowsedMessage, "/messages/stream", {
        topic,
        from: from === undefined ? undefined : placeText(from),
        to: to === undefined ? undefined : placeText(to),
        contains,
        json,
        regex
      }),
    redrive: (topic, options = {}) => redrive("POST", { topic, ...options }),
    redriveProgress: (topic) => get(RedriveProgress, "/topic/redrive", { topic }),
    cancelRedrive: (topic) => redrive("DELETE", { topic }),
    setLookupdAddresses: (addresses) => putConfig("nsqlookupd_tcp_addresses", JSON.stringify(addresses)),
    setLogLevel: (level) => putConfig("log_level", level),
    freeMemory: post("/debug/freememory", {})
  }
})
