/**
 * `/pub` and `/mpub` (docs/protocol/http.md#pub). They are handled in Node's request callback; a fiber is forked only
 * if publishing has to wait, for a topic to be opened or for the disk. `Router` handles all other endpoints.
 *
 * Hot path: request lines are looked up instead of parsed, and the response is prepared in advance.
 */
import { Duration, Effect, Result } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { valueStart } from "../../../protocol/client/HeaderLines.ts"
import { dedupKeyHeader, encodeHeaders, HeadersError, readHeaders } from "../../../protocol/client/Headers.ts"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import { isTopicName, type TopicName } from "../../../protocol/client/Names.ts"
import type { Completion } from "../../core/Completion.ts"
import * as GoDuration from "../../core/GoDuration.ts"
import * as Time from "../../core/Time.ts"
import { finish, Turns } from "../../core/Turns.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import * as RequestBody from "../../http/RequestBody.ts"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import { peerAddress } from "../../net/Transport.ts"
import { Broker } from "../broker/Broker.ts"
import { type BrokerError, writeFailure } from "../broker/BrokerError.ts"
import { expiryHeader } from "../broker/Expiry.ts"
import { Publisher } from "../broker/Publisher.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { hostOf } from "../session/connection/Session.ts"
import * as BrokerArguments from "./BrokerArguments.ts"
import type { BodyRefusal } from "./PublishBody.ts"
import * as PublishBody from "./PublishBody.ts"
import { headersOf } from "./RequestHeaders.ts"

/** A decoded publishing request line. */
export interface PublishTarget {
  readonly kind: "pub" | "mpub"
  /** The topic, or the response to a missing or invalid one. */
  readonly topic: TopicName | HttpResponse.HttpResponse
  /** The delay in ms; `undefined` if it is not valid. */
  readonly deferMillis: number | undefined
  /** The time-to-live in ms, 0 for none; `undefined` if it is not valid. */
  readonly ttlMillis: number | undefined
  readonly binary: boolean
  /** The key for de-duplication in the query. */
  readonly dedupKey: string | undefined
  /** A warning to log once. */
  warning: string | undefined
}

type PublishResult = HttpResponse.HttpResponse | Effect.Effect<HttpResponse.HttpResponse>

const kinds = new Map<string, { readonly kind: "pub" | "mpub"; readonly instead: string | undefined }>([
  ["/pub", { kind: "pub", instead: undefined }],
  ["/mpub", { kind: "mpub", instead: undefined }],
  ["/put", { kind: "pub", instead: "/pub" }],
  ["/mput", { kind: "mpub", instead: "/mpub" }]
])

const refusals = {
  MSG_TOO_BIG: HttpResponse.failure(413, "MSG_TOO_BIG"),
  BODY_TOO_BIG: HttpResponse.failure(413, "BODY_TOO_BIG"),
  BAD_BODY: HttpResponse.failure(413, "BAD_BODY"),
  BAD_MESSAGE: HttpResponse.failure(413, "BAD_MESSAGE"),
  MSG_EMPTY: HttpResponse.failure(400, "MSG_EMPTY"),
  MISSING_ARG_TOPIC: HttpResponse.failure(400, "MISSING_ARG_TOPIC"),
  INVALID_TOPIC: HttpResponse.failure(400, "INVALID_TOPIC"),
  INVALID_DEFER: HttpResponse.failure(400, "INVALID_DEFER"),
  INVALID_TTL: HttpResponse.failure(400, "INVALID_TTL")
}

const textValues = new Set(["false", "0"])
const binaryValues = new Set(["true", "1"])

const topicOf = ({ query }: RequestTarget): TopicName | HttpResponse.HttpResponse => {
  if (query === undefined) return HttpResponse.invalidRequest
  const topic = query.get("topic")
  if (topic === undefined) return refusals.MISSING_ARG_TOPIC
  return isTopicName(topic) ? topic : refusals.INVALID_TOPIC
}

const parseDefer = (text: string | undefined, maxMillis: number): number | undefined => {
  if (text === undefined) return 0
  const millis = /^[+-]?\d+$/.test(text) ? Number(text) : NaN
  return millis >= 0 && millis <= maxMillis ? millis : undefined
}

const parseTtl = (text: string | undefined): number | undefined => {
  if (text === undefined) return 0
  const ttl = GoDuration.parse(text)
  const millis = Result.isFailure(ttl) ? 0 : Math.ceil(Duration.toMillis(ttl.success))
  return millis > 0 ? millis : undefined
}

const withHeaders = (bodies: PublishedBodies, headers: Buffer): PublishedBodies => {
  const dedupKeyStart = valueStart(headers, dedupKeyHeader)
  return dedupKeyStart === undefined ? { ...bodies, headers } : { ...bodies, headers, dedupKeyStart }
}

/** The network address of a client, as for clients over TCP. */
const addressOf = ({ remoteAddress, remotePort }: Socket): string => hostOf(peerAddress(remoteAddress, remotePort))

/** The topic may fail to be created, because the metadata cannot be written: a failed write as well. */
const refusalOf = (error: BrokerError | StorageError): HttpResponse.HttpResponse =>
  BrokerArguments.refusalOf(error._tag === "StorageError" ? writeFailure(error, 0) : error)

/** The publishing endpoints, for the services of the environment. */
export const make = Effect.gen(function*() {
  const options = yield* NsqdOptions
  const broker = yield* Broker
  const publisher = yield* Publisher
  const time = yield* Time.make
  const turns = yield* Turns
  const { maxBodySize, maxMsgSize } = options
  const maxDefer = Duration.toMillis(options.maxReqTimeout)
  const warned = new Set<string>()

  /** Decodes a request line, assuming POST; `undefined` if it is not for publishing. */
  const target = (request: RequestTarget): PublishTarget | undefined => {
    const found = kinds.get(request.path)
    if (found === undefined) return undefined
    const binary = found.kind === "mpub" ? request.query?.get("binary") : undefined
    const odd = binary !== undefined && !textValues.has(binary) && !binaryValues.has(binary)
    return {
      kind: found.kind,
      topic: topicOf(request),
      deferMillis: found.kind === "pub" ? parseDefer(request.query?.get("defer"), maxDefer) : 0,
      ttlMillis: parseTtl(request.query?.get("ttl")),
      binary: binary !== undefined && !textValues.has(binary),
      dedupKey: request.query?.get("dedup_key"),
      warning: odd
        ? `deprecated value '${binary}' used for /mpub binary param`
        : found.instead === undefined
        ? undefined
        : `deprecated path ${request.path}, use ${found.instead}`
    }
  }

  /** Responds without a publish. As in NSQ, the topic is created even if body or delay are refused. */
  const respondOnly = (topic: TopicName, response: HttpResponse.HttpResponse): PublishResult =>
    broker.findTopic(topic) !== undefined
      ? response
      : Effect.match(broker.topic(topic), { onSuccess: () => response, onFailure: refusalOf })

  const publishBodies = (
    topic: TopicName,
    target: PublishTarget,
    headers: Buffer | undefined,
    socket: Socket,
    bodies: PublishedBodies | BodyRefusal
  ): PublishResult => {
    if (typeof bodies === "string") return respondOnly(topic, refusals[bodies])
    if (bodies.count === 0) return respondOnly(topic, HttpResponse.ok)
    const all = headers === undefined ? bodies : withHeaders(bodies, headers)
    const defer = target.deferMillis ?? 0
    const rest = broker.clientRates.isOn
      ? broker.clientRates.publish(publisher.publish, addressOf(socket), topic, all, defer)
      : publisher.publish(topic, all, defer)
    return rest === undefined
      ? HttpResponse.ok
      : Effect.match(rest, { onSuccess: () => HttpResponse.ok, onFailure: refusalOf })
  }

  const publishInSteps = (
    topic: TopicName,
    target: PublishTarget,
    headers: Buffer | undefined,
    socket: Socket,
    steps: Iterator<void, PublishedBodies | BodyRefusal, void>
  ): PublishResult => {
    const first = steps.next()
    if (first.done === true) return publishBodies(topic, target, headers, socket, first.value)
    return Effect.flatMap(finish(turns, steps), (bodies) => {
      const result = publishBodies(topic, target, headers, socket, bodies)
      return Effect.isEffect(result) ? result : Effect.succeed(result)
    })
  }

  const publishTo = (
    topic: TopicName,
    target: PublishTarget,
    body: Buffer | undefined,
    headers: Buffer | undefined,
    socket: Socket
  ): PublishResult => {
    if (body === undefined) return respondOnly(topic, refusals.BODY_TOO_BIG)
    if (target.deferMillis === undefined) return respondOnly(topic, refusals.INVALID_DEFER)
    if (target.ttlMillis === undefined) return respondOnly(topic, refusals.INVALID_TTL)
    if (target.kind === "pub") return publishBodies(topic, target, headers, socket, PublishBody.single(body))
    if (target.binary) {
      return publishInSteps(topic, target, headers, socket, PublishBody.binary(body, maxMsgSize, maxBodySize))
    }
    return PublishBody.hasManySteps(body)
      ? publishInSteps(topic, target, headers, socket, PublishBody.linesInSteps(body, maxMsgSize))
      : publishBodies(topic, target, headers, socket, PublishBody.lines(body, maxMsgSize))
  }

  /** Adds the header of the time-to-live. */
  const withExpiry = ({ ttlMillis = 0 }: PublishTarget, headers: Buffer | HeadersError | undefined) => {
    if (ttlMillis === 0 || headers instanceof HeadersError) return headers
    const expires = String(Number(time.wallNanos() / 1_000_000n) + ttlMillis)
    return encodeHeaders({ ...headers === undefined ? {} : readHeaders(headers), [expiryHeader]: expires })
  }

  const publish = (
    target: PublishTarget,
    body: Buffer | undefined,
    socket: Socket,
    headers?: Buffer | HeadersError
  ): PublishResult => {
    if (target.kind === "pub") {
      if (body === undefined) return refusals.MSG_TOO_BIG
      if (body.length === 0) return refusals.MSG_EMPTY
    }
    if (typeof target.topic !== "string") return target.topic
    const all = withExpiry(target, headers)
    if (all instanceof HeadersError) return HttpResponse.failure(400, `INVALID_HEADERS: ${all.reason}`)
    return publishTo(target.topic, target, body, all, socket)
  }

  const failed = (defect: unknown): Effect.Effect<HttpResponse.HttpResponse> =>
    Effect.as(Effect.logError("publishing failed", defect), HttpResponse.internalError)

  /** A defect in Node's callback would otherwise end the daemon. */
  const attempt = (
    target: PublishTarget,
    body: Buffer | undefined,
    socket: Socket,
    headers?: Buffer | HeadersError
  ): PublishResult => {
    try {
      const result = publish(target, body, socket, headers)
      return Effect.isEffect(result) ? Effect.catchDefect(result, failed) : result
    } catch (defect) {
      return failed(defect)
    }
  }

  /** Logs each distinct warning once, because publishers repeat their requests. */
  const warn = (target: PublishTarget, fork: (effect: Effect.Effect<void>) => void): void => {
    const { warning } = target
    target.warning = undefined
    if (warning === undefined || warned.has(warning) || warned.size >= 1000) return
    warned.add(warning)
    fork(Effect.logWarning(warning))
  }

  /** Receives a POST body, publishes it and responds. */
  const handle = (
    target: PublishTarget,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    fork: (effect: Effect.Effect<void>) => void
  ): void => {
    const isSingle = target.kind === "pub"
    const limit = isSingle ? maxMsgSize : maxBodySize
    if (target.warning !== undefined) warn(target, fork)
    if (RequestBody.announcesMore(incoming, limit)) {
      const tooBig = isSingle ? refusals.MSG_TOO_BIG : refusals.BODY_TOO_BIG
      return fork(RequestBody.respondUnread(incoming, outgoing, tooBig))
    }
    RequestBody.collect(incoming, outgoing, limit, (body) => {
      const result = attempt(target, body, incoming.socket, headersOf(incoming, target.dedupKey))
      const finish = (response: HttpResponse.HttpResponse): Completion => {
        if (body === undefined) return RequestBody.respondUnread(incoming, outgoing, response)
        HttpResponse.send(outgoing, response)
        return undefined
      }
      if (Effect.isEffect(result)) {
        fork(Effect.flatMap(result, (response) => finish(response) ?? Effect.void))
      } else {
        const rest = finish(result)
        if (rest !== undefined) fork(rest)
      }
    })
  }

  return { target, handle, publish: attempt, maxMsgSize }
})
