/**
 * IDENTIFY (docs/protocol/client.md#identify): the client's metadata and requested features, their negotiation, and the JSON
 * response. Pure: the connection applies the negotiated values.
 */
import { Effect, Result, Schema } from "effect"
import * as GoJson from "../text/GoJson.ts"
import { type ProtocolError, protocolError } from "./ProtocolError.ts"

/** An int of Go's JSON decoder, within the safe integers. */
const Int = Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(0)))
/** An int32 of Go's JSON decoder. */
const Int32 = Schema.Int.pipe(
  Schema.check(Schema.isBetween({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 })),
  Schema.withDecodingDefaultTypeKey(Effect.succeed(0))
)
const Text = Schema.String.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed("")))
const Flag = Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(false)))

/**
 * The body of IDENTIFY. Absent fields and `null` are the zero value; unknown fields are ignored. Times in ms.
 *
 * @since 0.1.0
 * @category schemas
 */
export const IdentifyRequest = Schema.Struct({
  client_id: Text,
  hostname: Text,
  user_agent: Text,
  feature_negotiation: Flag,
  /** -1 disables heartbeats, 0 keeps the default. */
  heartbeat_interval: Int,
  /** Bytes; -1 disables buffering, 0 keeps the default. */
  output_buffer_size: Int,
  /** -1 disables the timer, 0 keeps the default. */
  output_buffer_timeout: Int,
  tls_v1: Flag,
  deflate: Flag,
  deflate_level: Int,
  snappy: Flag,
  /** Percentage of the messages to receive, 0 for all. */
  sample_rate: Int32,
  msg_timeout: Int,
  topology_region: Text,
  topology_zone: Text,
  /** Requests the headers of messages, which effect-nsq has. */
  headers: Flag,
  /** Whether REQ may have a reason, which rejects the message. */
  reject: Flag
})
/** The body of IDENTIFY. Times in ms. */
export type IdentifyRequest = typeof IdentifyRequest.Type

/**
 * The response to an IDENTIFY with `feature_negotiation`; keys in NSQ's order, times in ms.
 *
 * @since 0.1.0
 * @category schemas
 */
export const IdentifyResponse = Schema.Struct({
  max_rdy_count: Schema.Int,
  version: Schema.String,
  max_msg_timeout: Schema.Int,
  msg_timeout: Schema.Int,
  tls_v1: Schema.Boolean,
  deflate: Schema.Boolean,
  deflate_level: Schema.Int,
  max_deflate_level: Schema.Int,
  snappy: Schema.Boolean,
  sample_rate: Schema.Int,
  auth_required: Schema.Boolean,
  output_buffer_size: Schema.Int,
  output_buffer_timeout: Schema.Int,
  topology_region: Schema.String,
  topology_zone: Schema.String,
  /** Only if the client has requested headers. */
  headers: Schema.optionalKey(Schema.Boolean),
  /** Omitted unless requested. */
  reject: Schema.optionalKey(Schema.Literal(true))
})
/** The response to an IDENTIFY with `feature_negotiation`. Times in ms. */
export type IdentifyResponse = typeof IdentifyResponse.Type

const encodeResponseJson = Schema.encodeSync(Schema.fromJsonString(IdentifyResponse))
/**
 * Encodes the response as JSON.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeIdentifyResponse = (response: IdentifyResponse): string => encodeResponseJson(response)

const decodeRequest = Schema.decodeUnknownResult(IdentifyRequest)
const fieldsOf = GoJson.reader(Object.keys(IdentifyRequest.fields))

/** The maximum length of each string of the client, in bytes, because they are kept as long as it is connected. */
const maxTextBytes = 512
/** More than any client sends, and small enough to decode at once. */
const shapeLimits: GoJson.ShapeLimits = { maxDepth: 32, maxKeys: 256 }

const textFields = ["client_id", "hostname", "user_agent", "topology_region", "topology_zone"] as const

const undecodable = Result.fail(protocolError("E_BAD_BODY", "IDENTIFY failed to decode JSON body"))

/**
 * Decodes the body of IDENTIFY. Fails if the JSON is invalid, nested too deeply or has too many keys, or a string is too long.
 *
 * @since 0.1.0
 * @category codecs
 */
export const decodeIdentify = (body: Buffer): Result.Result<IdentifyRequest, ProtocolError> => {
  if (!GoJson.isWithin(body, shapeLimits)) return undecodable
  const fields = fieldsOf(body.toString("utf8"))
  const decoded = fields === undefined ? undefined : decodeRequest(fields)
  if (decoded === undefined || Result.isFailure(decoded)) return undecodable
  const request = decoded.success
  for (const field of textFields) {
    const size = Buffer.byteLength(request[field])
    if (size > maxTextBytes) {
      return Result.fail(protocolError("E_BAD_BODY", `IDENTIFY ${field} too long ${size} > ${maxTextBytes}`))
    }
  }
  return Result.succeed(request)
}

/**
 * The limits and defaults of a server. Times in ms, sizes in bytes. The defaults apply until the first IDENTIFY.
 *
 * @since 0.1.0
 * @category models
 */
export interface IdentifyLimits {
  readonly maxHeartbeatInterval: number
  readonly defaultHeartbeatInterval: number
  readonly maxOutputBufferSize: number
  readonly defaultOutputBufferSize: number
  readonly minOutputBufferTimeout: number
  readonly maxOutputBufferTimeout: number
  readonly defaultOutputBufferTimeout: number
  readonly maxMsgTimeout: number
  readonly defaultMsgTimeout: number
  readonly tls: boolean
  readonly deflate: boolean
  readonly maxDeflateLevel: number
  readonly snappy: boolean
}

/**
 * The negotiated values of a connection. Times in ms; 0 turns heartbeats or the output timer off.
 *
 * @since 0.1.0
 * @category models
 */
export interface Negotiated {
  readonly clientId: string
  readonly hostname: string
  readonly userAgent: string
  readonly heartbeatInterval: number
  readonly outputBufferSize: number
  readonly outputBufferTimeout: number
  readonly sampleRate: number
  readonly msgTimeout: number
  readonly topologyRegion: string
  readonly topologyZone: string
  readonly tls: boolean
  readonly deflate: boolean
  readonly deflateLevel: number
  readonly snappy: boolean
  /** Whether messages with headers are sent with them. */
  readonly headers: boolean
  /** Whether the reason of a REQ rejects the message. */
  readonly rejects: boolean
}

const minHeartbeatInterval = 1000
const minMsgTimeout = 1000
const minOutputBufferSize = 64
const defaultDeflateLevel = 6

/**
 * The values negotiated before, which an IDENTIFY keeps if it does not set them.
 *
 * @since 0.1.0
 * @category models
 */
export type Current = Pick<Negotiated, "heartbeatInterval" | "outputBufferSize" | "outputBufferTimeout" | "msgTimeout">

/** Returns the current value for 0, `off` for -1 if it exists, and any other value if it is in the range. */
const choose = (
  requested: number,
  range: { readonly min: number; readonly max: number; readonly fallback: number; readonly off?: number },
  name: string
): Result.Result<number, ProtocolError> => {
  if (requested === 0) return Result.succeed(range.fallback)
  if (requested === -1 && range.off !== undefined) return Result.succeed(range.off)
  if (requested >= range.min && requested <= range.max) return Result.succeed(requested)
  return Result.fail(protocolError("E_BAD_BODY", `IDENTIFY ${name} (${requested}) is invalid`))
}

/**
 * Negotiates the values of a request, checked in NSQ's order.
 *
 * @since 0.1.0
 * @category operations
 */
export const negotiate = (
  request: IdentifyRequest,
  limits: IdentifyLimits,
  current: Current
): Result.Result<Negotiated, ProtocolError> =>
  Result.gen(function*() {
    const heartbeatInterval = yield* choose(request.heartbeat_interval, {
      min: minHeartbeatInterval,
      max: limits.maxHeartbeatInterval,
      fallback: current.heartbeatInterval,
      off: 0
    }, "heartbeat interval")
    const outputBufferTimeout = yield* choose(request.output_buffer_timeout, {
      min: limits.minOutputBufferTimeout,
      max: limits.maxOutputBufferTimeout,
      fallback: current.outputBufferTimeout,
      off: 0
    }, "output buffer timeout")
    const outputBufferSize = yield* choose(request.output_buffer_size, {
      min: minOutputBufferSize,
      max: limits.maxOutputBufferSize,
      fallback: current.outputBufferSize,
      off: 1
    }, "output buffer size")
    if (request.sample_rate < 0 || request.sample_rate > 99) {
      return yield* Result.fail(
        protocolError("E_BAD_BODY", `IDENTIFY sample rate (${request.sample_rate}) is invalid`)
      )
    }
    const msgTimeout = yield* choose(request.msg_timeout, {
      min: minMsgTimeout,
      max: limits.maxMsgTimeout,
      fallback: current.msgTimeout
    }, "msg timeout")
    const negotiates = request.feature_negotiation
    const deflate = negotiates && limits.deflate && request.deflate
    const snappy = negotiates && limits.snappy && request.snappy
    if (deflate && snappy) {
      return yield* Result.fail(
        protocolError("E_IDENTIFY_FAILED", "cannot enable both deflate and snappy compression")
      )
    }
    const requestedLevel = deflate && request.deflate_level > 0 ? request.deflate_level : defaultDeflateLevel
    return {
      clientId: request.client_id,
      hostname: request.hostname,
      userAgent: request.user_agent,
      heartbeatInterval,
      outputBufferSize,
      outputBufferTimeout: outputBufferSize === 1 ? 0 : outputBufferTimeout,
      sampleRate: request.sample_rate,
      msgTimeout,
      topologyRegion: request.topology_region,
      topologyZone: request.topology_zone,
      tls: negotiates && limits.tls && request.tls_v1,
      deflate,
      deflateLevel: Math.min(requestedLevel, limits.maxDeflateLevel),
      snappy,
      headers: negotiates && request.headers,
      rejects: negotiates && request.reject
    }
  })
