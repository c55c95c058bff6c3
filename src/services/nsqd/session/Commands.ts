/**
 * What each command does (section 7 of the protocol notes), found by its name. Decoding and the checks that need no state
 * have happened; the session's gate has let the command pass.
 *
 * Hot path: a command that is carried out at once returns `undefined`. One that has to wait, for a disk or for a topic to be
 * opened, returns the Effect of its completion, and the connection reads no further until then.
 */
import { Duration, Effect, Result, type Scope } from "effect"
import type { DecoderLimits } from "../../../protocol/client/CommandDecoder.ts"
import type { Decoded, Fin, Publish, Req, Touch } from "../../../protocol/client/Decoded.ts"
import {
  decodeIdentify,
  encodeIdentifyResponse,
  type IdentifyLimits,
  negotiate
} from "../../../protocol/client/Identify.ts"
import { formatMessageKey } from "../../../protocol/client/Message.ts"
import type { TopicName } from "../../../protocol/client/Names.ts"
import { type ErrorCode, type ProtocolError, protocolError } from "../../../protocol/client/ProtocolError.ts"
import { ServerTls } from "../../net/ServerTls.ts"
import { Broker, nsqVersion } from "../broker/Broker.ts"
import type { PublishError } from "../broker/BrokerError.ts"
import type { AnswerResult } from "../broker/Channel.ts"
import { ClientState } from "../broker/Clients.ts"
import * as Locality from "../broker/Locality.ts"
import { Publisher } from "../broker/Publisher.ts"
import type { Topic } from "../broker/Topic.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import * as Access from "./Access.ts"
import type { Session } from "./Session.ts"
import * as Upgrades from "./Upgrades.ts"

/** Something a command still has to do; it fails with the error that is the client's answer. */
export type Pending = Effect.Effect<void, ProtocolError, Scope.Scope>

/** Carries out a command for a session. */
export type Execute = (session: Session, command: Decoded) => Pending | undefined

/** Without an IDENTIFY a client gets heartbeats at half of NSQ's internal 60 s client timeout. */
const defaultHeartbeatMillis = 30_000
const defaultOutputBufferSize = 16 * 1024

export const decoderLimits = (options: NsqdOptions): DecoderLimits => ({
  maxMsgSize: options.maxMsgSize,
  maxBodySize: options.maxBodySize,
  maxIdentifySize: Math.min(options.maxBodySize, options.maxIdentifySize),
  maxReqTimeoutMillis: Duration.toMillis(options.maxReqTimeout),
  maxRdyCount: options.maxRdyCount
})

export const identifyLimits = (options: NsqdOptions): IdentifyLimits => ({
  maxHeartbeatInterval: Duration.toMillis(options.maxHeartbeatInterval),
  defaultHeartbeatInterval: defaultHeartbeatMillis,
  maxOutputBufferSize: options.maxOutputBufferSize,
  defaultOutputBufferSize,
  minOutputBufferTimeout: Duration.toMillis(options.minOutputBufferTimeout),
  maxOutputBufferTimeout: Duration.toMillis(options.maxOutputBufferTimeout),
  defaultOutputBufferTimeout: Duration.toMillis(options.outputBufferTimeout),
  maxMsgTimeout: Duration.toMillis(options.maxMsgTimeout),
  defaultMsgTimeout: Duration.toMillis(options.msgTimeout),
  // Whether there is a certificate is not the options' to say.
  tls: false,
  deflate: options.deflate,
  maxDeflateLevel: options.maxDeflateLevel,
  snappy: options.snappy
})

/** The commands on the broker of the environment. */
export const make = Effect.gen(function*() {
  const options = yield* NsqdOptions
  const broker = yield* Broker
  const publisher = yield* Publisher
  const limits = identifyLimits(options)
  const tls = yield* ServerTls
  const upgrade = yield* Upgrades.make
  const access = yield* Access.make
  const maxReqTimeout = Duration.toMillis(options.maxReqTimeout)

  /** What can still be had: a feature that the server lacks, or the connection has already, is answered with false. */
  const limitsFor = ({ compression, connection }: Session): IdentifyLimits => ({
    ...limits,
    tls: tls !== undefined && connection.startTls !== undefined,
    deflate: limits.deflate && compression === undefined,
    snappy: limits.snappy && compression === undefined
  })

  const identify = (session: Session, body: Buffer): Pending | undefined => {
    const request = decodeIdentify(body)
    if (Result.isFailure(request)) return Effect.fail(request.failure)
    const settled = negotiate(request.success, limitsFor(session), session.negotiated)
    if (Result.isFailure(settled)) return Effect.fail(settled.failure)
    const negotiated = settled.success
    session.negotiated = negotiated
    session.locality = Locality.of(options, negotiated.topologyZone, negotiated.topologyRegion)
    session.outbox.response(
      request.success.feature_negotiation
        ? encodeIdentifyResponse({
          max_rdy_count: options.maxRdyCount,
          version: nsqVersion,
          max_msg_timeout: limits.maxMsgTimeout,
          msg_timeout: negotiated.msgTimeout,
          tls_v1: negotiated.tls,
          deflate: negotiated.deflate,
          deflate_level: negotiated.deflateLevel,
          max_deflate_level: options.maxDeflateLevel,
          snappy: negotiated.snappy,
          sample_rate: negotiated.sampleRate,
          auth_required: access.isRequired,
          output_buffer_size: negotiated.outputBufferSize,
          output_buffer_timeout: negotiated.outputBufferTimeout,
          topology_region: options.topologyRegion,
          topology_zone: options.topologyZone
        })
        : "OK"
    )
    session.heartbeatChanged.call()
    const logged = Effect.logInfo(`[${session.connection.remoteAddress}] IDENTIFY: ${describe(body)}`)
    const upgrades = upgrade(session)
    return upgrades === undefined ? logged : Effect.andThen(logged, upgrades)
  }

  const sub = (session: Session, command: Decoded & { readonly _tag: "SUB" }): Pending =>
    Effect.andThen(
      access.check(session, "SUB", command.topic, command.channel) ?? Effect.void,
      Effect.suspend(() => subscribe(session, command))
    )

  const subscribe = (session: Session, command: Decoded & { readonly _tag: "SUB" }): Pending => {
    const { msgTimeout, sampleRate } = session.negotiated
    const { locality } = session
    return broker.subscribe(command.topic, command.channel, session, { msgTimeout, sampleRate, locality }).pipe(
      Effect.mapError((error) => protocolError("E_SUB_FAILED", `SUB failed ${error.message}`)),
      Effect.map((membership) => {
        session.membership = membership
        session.state = ClientState.subscribed
        session.outbox.ok(1)
      })
    )
  }

  const publish = (session: Session, command: Publish): Pending | undefined => {
    const check = access.check(session, command._tag, command.topic, "")
    return check === undefined
      ? publishPermitted(session, command)
      : Effect.flatMap(check, () => publishPermitted(session, command) ?? Effect.void)
  }

  const publishPermitted = (session: Session, command: Publish): Pending | undefined => {
    const known = session.lastTopic
    if (known !== undefined && known.name === command.topic && !known.exiting) return publishTo(session, known, command)
    const topic = broker.findTopic(command.topic)
    if (topic !== undefined) {
      session.lastTopic = topic
      return publishTo(session, topic, command)
    }
    return broker.topic(command.topic).pipe(
      Effect.mapError((error) => protocolError(`E_${command._tag}_FAILED`, `${command._tag} failed ${error.message}`)),
      Effect.flatMap((created) => publishTo(session, created, command) ?? Effect.void)
    )
  }

  const publishTo = (session: Session, topic: Topic, command: Publish): Pending | undefined => {
    const rest = publisher.publish(topic, command.bodies, command.deferMillis)
    if (rest === undefined) {
      accepted(session, command, command.bodies.count)
      return undefined
    }
    return Effect.matchEffect(rest, {
      onSuccess: () => Effect.sync(() => accepted(session, command, command.bodies.count)),
      onFailure: (error: PublishError) => {
        // Of pipelined PUBs the first ones may have been taken: they get their OKs, the first that was not its error.
        if (command._tag === "PUB" && error.accepted > 0) accepted(session, command, error.accepted)
        return Effect.fail(protocolError(`E_${command._tag}_FAILED`, `${command._tag} failed ${error.reason}`))
      }
    })
  }

  const accepted = (session: Session, command: Publish, count: number): void => {
    session.notePublished(command.topic, count)
    session.outbox.ok(command._tag === "PUB" ? count : 1)
  }

  const rdy = (session: Session, count: number): undefined => {
    if (session.state === ClientState.closing) return
    const { membership } = session
    membership?.channel.setReady(membership.subscription, count)
  }

  const answer = (
    command: Fin | Req | Touch,
    code: ErrorCode,
    result: AnswerResult | undefined
  ): Pending | undefined => {
    if (result === "done") return undefined
    const why = result === "not owner" ? "client does not own message" : "ID not in flight"
    return Effect.fail(protocolError(code, `${command._tag} ${formatMessageKey(command)} failed ${why}`))
  }

  const fin = (session: Session, command: Fin): Pending | undefined => {
    const { membership } = session
    const result = membership?.channel.finish(membership.subscription, command)
    return answer(command, "E_FIN_FAILED", result)
  }

  const req = (session: Session, command: Req): Pending | undefined => {
    const { membership } = session
    const delay = Math.max(0, Math.min(command.delayMillis, maxReqTimeout))
    const result = membership?.channel.requeue(membership.subscription, command, delay)
    if (result !== "done") return answer(command, "E_REQ_FAILED", result)
    return delay === command.delayMillis ? undefined : Effect.logInfo(
      `REQ timeout ${nanos(command.delayMillis)} out of range 0-${nanos(maxReqTimeout)}. Setting to ${nanos(delay)}`
    )
  }

  const touch = (session: Session, command: Touch): Pending | undefined => {
    const { membership } = session
    const result = membership?.channel.touch(membership.subscription, command)
    return answer(command, "E_TOUCH_FAILED", result)
  }

  /** No more messages; what is in flight may still be answered. The client closes the connection. */
  const cls = (session: Session): undefined => {
    const { membership } = session
    membership?.channel.setReady(membership.subscription, 0)
    session.state = ClientState.closing
    session.outbox.response("CLOSE_WAIT")
  }

  /** NSQ creates the topic of an MPUB before it reads the body, and before that it asks whether the client may publish. */
  const malformedPublish = (session: Session, topic: TopicName, error: ProtocolError): Pending =>
    (access.check(session, "MPUB", topic, "") ?? Effect.void).pipe(
      Effect.andThen(Effect.suspend(() => Effect.ignore(broker.topic(topic)))),
      Effect.andThen(Effect.fail(error))
    )

  const execute: Execute = (session, command) => {
    switch (command._tag) {
      case "FIN":
        return fin(session, command)
      case "PUB":
      case "MPUB":
      case "DPUB":
        return publish(session, command)
      case "REQ":
        return req(session, command)
      case "TOUCH":
        return touch(session, command)
      case "RDY":
        return rdy(session, command.count)
      case "NOP":
        return undefined
      case "SUB":
        return sub(session, command)
      case "CLS":
        return cls(session)
      case "IDENTIFY":
        return identify(session, command.body)
      case "AUTH":
        return access.authenticate(session, command.secret)
      case "Malformed":
        if (command.command === "RDY" && session.state === ClientState.closing) return undefined
        return command.topic === undefined
          ? Effect.fail(command.error)
          : malformedPublish(session, command.topic, command.error)
      case "Overlong":
        return Effect.die("invariant: overlong lines end the connection before they are executed")
    }
  }
  return execute
})

const nanos = (millis: number): number => Math.round(millis * 1_000_000)

/** The body of an IDENTIFY for the log: printable, and not longer than is useful. */
const describe = (body: Buffer): string =>
  body.toString("utf8", 0, 1024).replace(/\p{C}/gu, " ") + (body.length > 1024 ? "..." : "")
