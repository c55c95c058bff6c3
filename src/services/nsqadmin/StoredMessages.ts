/** Shows, deletes and requeues messages, and moves channels in the logs of durable topics (docs/nsqadmin.md#the-api). */
import { Context, Effect, Layer, Result, Schema } from "effect"
import { MessageId } from "../../protocol/client/Message.ts"
import { isChannelName, isTopicName } from "../../protocol/client/Names.ts"
import type { ActionResponse } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest, type NotFound, type UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import type { RewindResponse, StoredMessagesResponse } from "../../protocol/http/admin/AdminStorage.ts"
import { MessagesPage } from "../../protocol/http/MessagesResponse.ts"
import { SeekResponse } from "../../protocol/http/SeekResponse.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { type KnownNode, nodeAddress, originOf } from "../cluster/KnownNode.ts"
import { DaemonHttp } from "../http/DaemonHttp.ts"
import type { HttpError } from "../http/HttpError.ts"
import * as KnownNodes from "./KnownNodes.ts"
import * as NodeRefusals from "./NodeRefusals.ts"
import { IsRead } from "./Patience.ts"
import * as Upstream from "./Upstream.ts"

/** The messages to show, as the parameters of nsqd's `GET /messages`. */
export interface BrowseFilter {
  readonly topic: string
  readonly channel?: string
  readonly state?: string
  readonly from?: string
  readonly limit?: string
  readonly contains?: string
  readonly json?: string
  readonly regex?: string
}

/** A message of a channel on an nsqd. */
export interface StoredMessage {
  readonly node: string
  readonly topic: string
  readonly channel: string
  /** Its sequence, or its id if its topic is not durable. */
  readonly sequence: string
}

type Failure = BadRequest | NotFound | UpstreamError

/** The most bytes of a body that a page shows. */
const bodyBytes = 65_536

/** The time for a page in milliseconds: less than nsqadmin waits for nsqd by default. */
const budgetMillis = 3000

const isMessageId = Schema.is(MessageId)

/** The parameter of nsqd that names a message. An id is longer than a sequence. */
const nameOf = (sequence: string): { readonly sequence: string } | { readonly id: string } | undefined =>
  /^\d{1,15}$/.test(sequence) ? { sequence } : isMessageId(sequence) ? { id: sequence } : undefined

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

const query = (parameters: Readonly<Record<string, string | number | boolean | undefined>>): string =>
  Object.entries(parameters)
    .flatMap(([name, value]) => value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`])
    .join("&")

const checkNames = (topic: string, channel: string | undefined): Effect.Effect<void, BadRequest> => {
  if (!isTopicName(topic)) return refuse("INVALID_TOPIC")
  return channel === undefined || isChannelName(channel) ? Effect.void : refuse("INVALID_CHANNEL")
}

/** Logs the failure of a request and returns the response to it. */
const failed = (what: string) => (error: HttpError): Effect.Effect<never, Failure> =>
  Effect.andThen(Upstream.logFailure(what, error), Effect.fail(NodeRefusals.failureOf(error)))

/** The messages that nsqds have stored. */
export class StoredMessages extends Context.Service<StoredMessages, {
  /** Returns a page of messages of an nsqd. */
  readonly browse: (node: string, filter: BrowseFilter) => Effect.Effect<StoredMessagesResponse, Failure>
  /** Finishes a message in a channel. */
  readonly remove: (message: StoredMessage) => Effect.Effect<ActionResponse, Failure>
  /** Takes a message out of flight, or ends its delay. */
  readonly requeue: (message: StoredMessage) => Effect.Effect<ActionResponse, Failure>
  /**
   * Moves a channel to a place on each nsqd that has its topic, or with `isPreview` returns what would come. Fails if all nsqds fail, with
   * the error of the first.
   */
  readonly rewind: (
    topic: string,
    channel: string,
    to: string,
    isPreview: boolean
  ) => Effect.Effect<RewindResponse, Failure>
}>()("effect-nsq/admin/StoredMessages") {
  static readonly layer: Layer.Layer<StoredMessages, never, Cluster | DaemonHttp> = Layer.effect(
    StoredMessages,
    Effect.gen(function*() {
      const cluster = yield* Cluster
      const daemons = yield* DaemonHttp

      const browse = Effect.fnUntraced(function*(address: string, filter: BrowseFilter) {
        yield* checkNames(filter.topic, filter.channel)
        const node = yield* KnownNodes.find(cluster, address)
        const parameters = query({ ...filter, body_bytes: bodyBytes, budget: budgetMillis })
        const page = yield* daemons.get(MessagesPage, address, `/messages?${parameters}`, originOf(node)).pipe(
          Effect.catch(failed(`browse topic ${filter.topic}`))
        )
        return { ...page, message: "" }
      })

      const change = (what: string, request: (node: KnownNode, parameters: string) => Effect.Effect<void, HttpError>) =>
        Effect.fnUntraced(function*({ channel, node: address, sequence, topic }: StoredMessage) {
          yield* checkNames(topic, channel)
          const name = nameOf(sequence)
          if (name === undefined) return yield* refuse("INVALID_SEQUENCE")
          const node = yield* KnownNodes.find(cluster, address)
          yield* Effect.catch(request(node, query({ topic, channel, ...name })), failed(`${what} message ${sequence}`))
          return { message: "" }
        })

      const rewind = Effect.fnUntraced(function*(topic: string, channel: string, to: string, isPreview: boolean) {
        yield* checkNames(topic, channel)
        const producers = yield* Upstream.query("get producers", cluster.producers(topic))
        const path = `/channel/seek?${query({ topic, channel, to, preview: isPreview })}`
        const results = yield* Effect.forEach(
          producers.value,
          (node) =>
            Effect.result(daemons.exchange(SeekResponse, "POST", nodeAddress(node), path, undefined, originOf(node))),
          { concurrency: 64 }
        ).pipe(Effect.provideService(IsRead, isPreview))
        const failures = results.filter(Result.isFailure).map(({ failure }) => failure)
        const [first] = failures
        if (first !== undefined && failures.length === results.length) return yield* failed("rewind channel")(first)
        const nodes = results.map((result, i) => {
          const node = producers.value[i]
          return {
            node: node === undefined ? "" : nodeAddress(node),
            messages: Result.isSuccess(result) ? result.success.messages : null,
            error: Result.isSuccess(result) ? "" : NodeRefusals.textOf(result.failure)
          }
        })
        return { nodes, message: Upstream.warning(producers.failures, failures) }
      })

      return StoredMessages.of({
        browse,
        remove: change(
          "delete",
          (node, parameters) => daemons.send("DELETE", nodeAddress(node), `/messages?${parameters}`, originOf(node))
        ),
        requeue: change(
          "requeue",
          (node, parameters) =>
            daemons.post(nodeAddress(node), `/messages/requeue?${parameters}`, undefined, originOf(node))
        ),
        rewind
      })
    })
  )
}
