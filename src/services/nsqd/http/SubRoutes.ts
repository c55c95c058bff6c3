/**
 * `/sub`: consuming over HTTP (docs/protocol/http.md#sub). `GET /sub` subscribes and streams the messages; `POST /sub/...`
 * acknowledges them and changes the ready count. NSQ has no such endpoints.
 */
import { Clock, Duration, Effect, Exit, FiberSet, Schema, Scope } from "effect"
import * as Crypto from "node:crypto"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import { MessageId, type MessageKey, messageKey } from "../../../protocol/client/Message.ts"
import * as Places from "../../core/Places.ts"
import * as Arguments from "../../http/Arguments.ts"
import {
  empty,
  fail,
  HttpFailure,
  type HttpResponse,
  internalError,
  streaming,
  takenOver
} from "../../http/HttpResponse.ts"
import type { Query } from "../../http/RequestTarget.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import { closed } from "../../http/StreamedResponse.ts"
import * as Upgrade from "../../http/Upgrade.ts"
import { details } from "../../net/TlsDetails.ts"
import { peerAddress } from "../../net/Transport.ts"
import { Broker } from "../broker/Broker.ts"
import { Clients } from "../broker/Clients.ts"
import * as Locality from "../broker/Locality.ts"
import type { AcknowledgementResult, Subscription } from "../broker/Subscription.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { hostOf } from "../session/connection/Session.ts"
import { refuse } from "./BrokerArguments.ts"
import { HttpConsumer } from "./HttpConsumer.ts"
import * as SubAccess from "./SubAccess.ts"
import * as SubStream from "./SubStream.ts"

/** The path of the stream, whose GET takes messages from a channel. */
export const path = "/sub"

const minHeartbeat = 1000
const defaultHeartbeat = 30_000
/** The longest name of a client, in characters. */
const maxClientIdLength = 256
/** Bytes of the random id of a subscription, which other clients cannot guess. */
const idBytes = 16

const isMessageId = Schema.is(MessageId)

interface Range {
  readonly min: number
  readonly max: number
}

/** Returns a whole number of the query, or the default. Fails with `code` outside of the range. */
const whole = (query: Query, name: string, { max, min }: Range, missing: number, code: string) => {
  const text = query.get(name)
  if (text === undefined) return Effect.succeed(missing)
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
  return value >= min && value <= max ? Effect.succeed(value) : Effect.fail(fail(400, code))
}

/** The response to an acknowledgement. */
const accepted = (result: AcknowledgementResult): Effect.Effect<HttpResponse, HttpFailure> => {
  switch (result) {
    case "done":
      return Effect.succeed(empty)
    case "not owner":
      return Effect.fail(fail(403, "MESSAGE_NOT_OWNED"))
    case "not in flight":
      return Effect.fail(fail(404, "MESSAGE_NOT_IN_FLIGHT"))
  }
}

/** Whether the socket has TLS. Node documents `encrypted`, which plain sockets lack; the class would load TLS for every nsqd. */
const isSecure = (socket: Socket): socket is TLSSocket => "encrypted" in socket

const clientOf = ({ incoming: { socket } }: HttpRequest) => {
  const remoteAddress = peerAddress(socket.remoteAddress, socket.remotePort)
  return {
    remoteAddress,
    remoteIp: hostOf(remoteAddress),
    tls: isSecure(socket) ? details(socket) : undefined
  }
}

/** The endpoints, for the broker of the environment. Closing the Scope ends all subscriptions. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker | Clients | Scope.Scope> = Effect.gen(function*() {
  const broker = yield* Broker
  const clients = yield* Clients
  const options = yield* NsqdOptions
  const access = yield* SubAccess.make
  const scope = yield* Effect.scope
  const fork = yield* FiberSet.makeRuntime<never>()
  const subscriptions = new Map<string, Subscription>()

  const takePlace = Places.make(options.maxHttpConsumers, () => fail(503, "TOO_MANY_CONSUMERS"))
  const locality = Locality.of(options, "", "")
  const maxHeartbeat = Duration.toMillis(options.maxHeartbeatInterval)
  const maxMsgTimeout = Duration.toMillis(options.maxMsgTimeout)
  const defaultMsgTimeout = Duration.toMillis(options.msgTimeout)
  const maxDelay = Duration.toMillis(options.maxReqTimeout)

  const subscribe = Effect.fnUntraced(function*(request: HttpRequest) {
    const query = yield* Arguments.query(request.target)
    const { channel, topic } = yield* Arguments.topicAndChannelNames(request.target)
    const readyCount = yield* whole(query, "rdy", { min: 1, max: options.maxRdyCount }, 1, "INVALID_ARG_RDY")
    const msgTimeout = yield* whole(
      query,
      "msg_timeout",
      { min: 1, max: maxMsgTimeout },
      defaultMsgTimeout,
      "INVALID_ARG_MSG_TIMEOUT"
    )
    const heartbeat = yield* whole(
      query,
      "heartbeat",
      { min: minHeartbeat, max: maxHeartbeat },
      Math.min(defaultHeartbeat, maxHeartbeat),
      "INVALID_ARG_HEARTBEAT"
    )
    const client = clientOf(request)
    const clientId = query.get("client_id") ?? client.remoteIp
    if (clientId.length > maxClientIdLength) return yield* fail(400, "INVALID_ARG_CLIENT_ID")
    // Before the authorization, so that the requests to an auth server are limited as well.
    yield* takePlace
    const grant = yield* access({ ...client, incoming: request.incoming }, topic, channel)
    const consumer = new HttpConsumer({
      ...client,
      clientId,
      hostname: client.remoteIp,
      userAgent: request.incoming.headers["user-agent"] ?? "",
      connectTime: Math.floor((yield* Clock.currentTimeMillis) / 1000),
      heartbeat,
      grant,
      locality
    })
    yield* clients.add(consumer)
    const subscription = yield* broker.subscribe(topic, channel, consumer, { msgTimeout, sampleRate: 0, locality })
    consumer.subscribe(subscription)
    const id = Crypto.randomBytes(idBytes).toString("hex")
    subscriptions.set(id, subscription)
    yield* Effect.addFinalizer(() => Effect.sync(() => void subscriptions.delete(id)))
    return { id, consumer, subscription, readyCount, msgTimeout, heartbeat }
  })

  /** Subscribes in a Scope of its own, which ends with the response, even if its stream never starts. */
  const stream = Effect.fnUntraced(function*(request: HttpRequest) {
    const isSocket = Upgrade.isWanted(request.incoming)
    const refused = isSocket ? Upgrade.refusalOf(request.incoming, request.outgoing) : undefined
    if (refused !== undefined) return refused
    const own = yield* Scope.fork(scope)
    const subscribed = yield* subscribe(request).pipe(
      Effect.catchTags({
        BrokerError: refuse,
        StorageError: () => Effect.fail(new HttpFailure({ response: internalError }))
      }),
      Scope.provide(own),
      Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : Scope.close(own, exit))
    )
    fork(Effect.ensuring(closed(request.outgoing), Scope.close(own, Exit.void)))
    if (isSocket) {
      // Most consumers over HTTP do without.
      const SubSocket = yield* Effect.promise(() => import("./SubSocket.ts"))
      const limits = { maxRdyCount: options.maxRdyCount, maxDelay }
      return takenOver((outgoing) => void fork(SubSocket.send(subscribed, limits, request.incoming, outgoing)))
    }
    return streaming(SubStream.headers, (outgoing) => void fork(SubStream.send(subscribed, outgoing)))
  })

  // ---- requests for a subscription

  const subscriptionIn = Effect.fnUntraced(function*(query: Query): Effect.fn.Return<Subscription, HttpFailure> {
    const id = query.get("subscription")
    if (id === undefined) return yield* fail(400, "MISSING_ARG_SUBSCRIPTION")
    return subscriptions.get(id) ?? (yield* fail(404, "SUBSCRIPTION_NOT_FOUND"))
  })

  // Neither logged nor traced: there is one for each message, and the URL has the id of the subscription.
  const post = (
    command: string,
    act: (subscription: Subscription, query: Query) => Effect.Effect<HttpResponse, HttpFailure>
  ): Route =>
    route(
      "POST",
      `${path}/${command}`,
      ({ target }) =>
        Effect.flatMap(Arguments.query(target), (query) =>
          Effect.flatMap(subscriptionIn(query), (subscription) => act(subscription, query))),
      false
    )

  /** A request for one message in flight. */
  const settle = (
    command: string,
    act: (
      subscription: Subscription,
      key: MessageKey,
      query: Query
    ) => Effect.Effect<AcknowledgementResult, HttpFailure>
  ): Route =>
    post(command, (subscription, query) => {
      const id = query.get("id")
      if (id === undefined) return Effect.fail(fail(400, "MISSING_ARG_ID"))
      if (!isMessageId(id)) return Effect.fail(fail(400, "INVALID_ARG_ID"))
      return Effect.flatMap(act(subscription, messageKey(id), query), accepted)
    })

  return [
    route("GET", path, stream),
    settle("finish", (subscription, key) => Effect.sync(() => subscription.finish(key))),
    settle("touch", (subscription, key) => Effect.sync(() => subscription.touch(key))),
    settle("requeue", (subscription, key, query) =>
      Effect.map(
        whole(query, "defer", { min: 0, max: maxDelay }, 0, "INVALID_DEFER"),
        (delay) => subscription.requeue(key, delay)
      )),
    settle(
      "reject",
      (subscription, key, query) => Effect.sync(() => subscription.reject(key, query.get("reason") ?? "rejected"))
    ),
    post("ready", (subscription, query) => {
      if (!query.has("rdy")) return Effect.fail(fail(400, "MISSING_ARG_RDY"))
      return Effect.map(
        whole(query, "rdy", { min: 0, max: options.maxRdyCount }, 0, "INVALID_ARG_RDY"),
        (count) => {
          subscription.setReady(count)
          return empty
        }
      )
    })
  ]
})
