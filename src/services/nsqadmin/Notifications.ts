/**
 * Sends each action of an administrator to an HTTP endpoint, one at a time and in the background
 * (docs/protocol/http.md#notifications). A failed request is logged; NSQ's nsqadmin crashes.
 */
import { Clock, Context, Effect, Layer, Queue } from "effect"
import { HttpClient, HttpClientRequest, HttpServerRequest } from "effect/http"
import { hostname } from "node:os"
import type { Action } from "../../protocol/http/admin/AdminApi.ts"
import * as BoundedResponse from "../http/BoundedResponse.ts"
import * as HttpExchange from "../http/HttpExchange.ts"
import * as Options from "./NsqadminOptions.ts"
import * as Peer from "./Peer.ts"

/**
 * An action of an administrator and its subject.
 *
 * @since 0.2.0
 * @category models
 */
export interface AdminAction {
  readonly action:
    | `${"create" | "delete" | Action}_${"topic" | "channel"}`
    | "tombstone_topic_producer"
    | "drain_node"
    | "undrain_node"
    | "close_client"
    | "delete_message"
    | "requeue_message"
    | "rewind_channel"
    | "redrive_topic"
    | "cancel_redrive"
    | "set_policy"
    | "delete_policy"
  readonly topic?: string
  readonly channel?: string
  /** `host:port` of an nsqd. */
  readonly node?: string
  /** The remote address of a client. */
  readonly client?: string
  /** The sequence of a message, or its id if its topic is not durable. */
  readonly sequence?: string
  /** The pattern of a policy. */
  readonly policy?: string
}

/** Limit for notifications that wait for the endpoint; further ones are dropped and logged. */
const maxWaiting = 1024

/** Limit for a response of the endpoint in bytes; a larger one closes its connection. */
const maxResponseBytes = 1024 * 1024

/** Returns the user of HTTP Basic credentials, as in NSQ; empty without them. */
const basicUser = (authorization: string | undefined): string => {
  const encoded = /^Basic (\S+)$/.exec(authorization ?? "")?.[1]
  const credentials = encoded === undefined ? "" : Buffer.from(encoded, "base64").toString()
  return credentials.includes(":") ? credentials.slice(0, credentials.indexOf(":")) : ""
}

/**
 * Notifications of actions. Without `--notification-http-endpoint` they are discarded.
 *
 * @since 0.2.0
 * @category services
 */
export class Notifications extends Context.Service<Notifications, {
  /** Queues a notification of an action of the current request, without waiting for the endpoint. */
  readonly tell: (action: AdminAction) => Effect.Effect<void, never, HttpServerRequest.HttpServerRequest>
}>()("effect-nsq/admin/Notifications") {
  static readonly layer: Layer.Layer<Notifications, never, HttpClient.HttpClient> = Layer.effect(
    Notifications,
    Effect.gen(function*() {
      const { httpClientRequestTimeout, notificationHttpEndpoint: endpoint } = yield* Options.reads.read(
        ...Options.ofNotifications
      )
      if (endpoint === "") return Notifications.of({ tell: () => Effect.void })
      const client = yield* HttpClient.HttpClient
      const waiting = yield* Queue.dropping<object>(maxWaiting)
      const via = hostname()

      const post = Effect.fnUntraced(function*(notification: object) {
        yield* Effect.logInfo(`POSTing notification to ${endpoint}`)
        const request = HttpClientRequest.post(endpoint).pipe(
          HttpClientRequest.bodyText(JSON.stringify(notification), "application/json")
        )
        yield* HttpExchange.open(client, request).pipe(
          Effect.flatMap((response) => BoundedResponse.discard(response, maxResponseBytes)),
          Effect.timeoutOrElse({
            duration: httpClientRequestTimeout,
            orElse: () => Effect.fail(HttpExchange.timedOut(request))
          }),
          Effect.catch(({ description }) => Effect.logError(`failed to POST notification - ${description}`))
        )
      })
      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(waiting), post)))

      return Notifications.of({
        tell: Effect.fnUntraced(function*({ action, channel, client: address, node, policy, sequence, topic }) {
          const request = yield* HttpServerRequest.HttpServerRequest
          const { headers } = request
          const user = basicUser(headers["authorization"])
          const scheme = headers["x-scheme"] === "https" ? "https" : "http"
          const offered = Queue.offerUnsafe(waiting, {
            action,
            ...(topic === undefined ? {} : { topic }),
            ...(channel === undefined ? {} : { channel }),
            ...(node === undefined ? {} : { node }),
            ...(address === undefined ? {} : { client: address }),
            ...(sequence === undefined ? {} : { sequence }),
            ...(policy === undefined ? {} : { policy }),
            timestamp: Math.floor((yield* Clock.currentTimeMillis) / 1000),
            ...(user === "" ? {} : { user }),
            remote_ip: Peer.address(request),
            user_agent: headers["user-agent"] ?? "",
            url: `${scheme}://${headers["host"] ?? ""}${Peer.target(request)}`,
            via
          })
          if (offered) return
          yield* Effect.logWarning(
            `notification of ${action} ${topic ?? node ?? policy ?? ""} dropped: ${maxWaiting} wait for the endpoint`
          )
        })
      })
    })
  )
}
