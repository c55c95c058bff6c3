/** IDENTIFY: negotiates the options of the connection. See docs/protocol/client.md#identify. */
import { Duration, Effect, Result } from "effect"
import {
  decodeIdentify,
  encodeIdentifyResponse,
  type IdentifyLimits,
  negotiate,
  type Negotiated
} from "../../../../protocol/client/Identify.ts"
import { version } from "../../../core/Version.ts"
import { ServerTls } from "../../../net/ServerTls.ts"
import * as Locality from "../../broker/Locality.ts"
import { NsqdOptions } from "../../options/NsqdOptions.ts"
import type { Access } from "../connection/Access.ts"
import type { CommandHandler } from "../connection/CommandHandler.ts"
import type { Session } from "../connection/Session.ts"
import * as Upgrades from "../connection/Upgrades.ts"

interface Identify {
  readonly body: Buffer
}

/** Heartbeat interval without IDENTIFY: half of NSQ's internal client timeout of 60 s. */
const defaultHeartbeatMillis = 30_000
const defaultOutputBufferSize = 16 * 1024
/** Bytes of an IDENTIFY body in the log. */
const loggedBytes = 1024

/** The limits for negotiation with these options. */
export const limitsOf = (options: NsqdOptions): IdentifyLimits => ({
  maxHeartbeatInterval: Duration.toMillis(options.maxHeartbeatInterval),
  defaultHeartbeatInterval: defaultHeartbeatMillis,
  maxOutputBufferSize: options.maxOutputBufferSize,
  defaultOutputBufferSize,
  minOutputBufferTimeout: Duration.toMillis(options.minOutputBufferTimeout),
  maxOutputBufferTimeout: Duration.toMillis(options.maxOutputBufferTimeout),
  defaultOutputBufferTimeout: Duration.toMillis(options.outputBufferTimeout),
  maxMsgTimeout: Duration.toMillis(options.maxMsgTimeout),
  defaultMsgTimeout: Duration.toMillis(options.msgTimeout),
  // Decided per connection: depends on the certificate and the transport.
  tls: false,
  deflate: options.deflate,
  maxDeflateLevel: options.maxDeflateLevel,
  snappy: options.snappy
})

const describeBody = (body: Buffer): string =>
  body.toString("utf8", 0, loggedBytes).replace(/\p{C}/gu, " ") + (body.length > loggedBytes ? "..." : "")

export const make = Effect.fnUntraced(function*(access: Access) {
  const options = yield* NsqdOptions
  const tls = yield* ServerTls
  const upgrade = yield* Upgrades.make
  const limits = limitsOf(options)

  /** A feature that the daemon lacks, or that the connection already has, is negotiated as false. */
  const limitsFor = ({ compression, connection }: Session): IdentifyLimits => ({
    ...limits,
    tls: tls !== undefined && connection.startTls !== undefined,
    deflate: limits.deflate && compression === undefined,
    snappy: limits.snappy && compression === undefined
  })

  const response = (negotiated: Negotiated) =>
    encodeIdentifyResponse({
      max_rdy_count: options.maxRdyCount,
      version,
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
      topology_zone: options.topologyZone,
      ...(negotiated.headers ? { headers: true } : {}),
      ...(negotiated.rejects ? { reject: true } : {})
    })

  const handler: CommandHandler<Identify> = {
    permittedIn: ["Init"],
    describe: () => "IDENTIFY",
    execute: (session, { body }) => {
      const request = decodeIdentify(body)
      if (Result.isFailure(request)) return Effect.fail(request.failure)
      const settled = negotiate(request.success, limitsFor(session), session.negotiated)
      if (Result.isFailure(settled)) return Effect.fail(settled.failure)
      const negotiated = settled.success
      session.negotiate(negotiated, Locality.of(options, negotiated.topologyZone, negotiated.topologyRegion))
      session.outbox.response(request.success.feature_negotiation ? response(negotiated) : "OK")
      const logged = Effect.logInfo(`[${session.connection.remoteAddress}] IDENTIFY: ${describeBody(body)}`)
      const upgrades = upgrade(session)
      return upgrades === undefined ? logged : Effect.andThen(logged, upgrades)
    }
  }
  return handler
})
