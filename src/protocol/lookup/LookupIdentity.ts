/**
 * IDENTIFY between nsqd and nsqlookupd (docs/protocol/nsqlookupd.md#identify): the body of the request and of the response.
 */
import { Effect, Result, Schema } from "effect"
import { NetAddress } from "effect/net"
import * as GoJson from "../text/GoJson.ts"

const Text = Schema.String.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed("")))
const Port = Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(0)))

/**
 * The identity of an nsqd. Absent fields and `null` are the zero value; unknown fields are ignored.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ProducerIdentity = Schema.Struct({
  broadcast_address: Text,
  hostname: Text,
  http_port: Port,
  tcp_port: Port,
  topology_region: Text,
  topology_zone: Text,
  version: Text
})
/** The identity of an nsqd. */
export type ProducerIdentity = typeof ProducerIdentity.Type

/**
 * The identity of an nsqlookupd; keys in NSQ's order.
 *
 * @since 0.1.0
 * @category schemas
 */
export const LookupdIdentity = Schema.Struct({
  broadcast_address: Text,
  hostname: Text,
  http_port: Port,
  tcp_port: Port,
  version: Text
})
/** The identity of an nsqlookupd. */
export type LookupdIdentity = typeof LookupdIdentity.Type

const producerFields = GoJson.reader(Object.keys(ProducerIdentity.fields))
const lookupdFields = GoJson.reader(Object.keys(LookupdIdentity.fields))
const decodeProducerFields = Schema.decodeUnknownResult(ProducerIdentity)
const decodeLookupdFields = Schema.decodeUnknownResult(LookupdIdentity)

/**
 * Decodes the body of IDENTIFY; returns `undefined` if it is not a JSON object with fields of these types.
 *
 * @since 0.1.0
 * @category codecs
 */
export const decodeProducer = (text: string): ProducerIdentity | undefined =>
  Result.getOrUndefined(decodeProducerFields(producerFields(text)))

/**
 * The maximum length of a string of an identity, in bytes of UTF-8; nsqlookupd returns identities with every registration.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxTextBytes = 256

const hostName = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?$/i

/**
 * Whether `text` is a host name that DNS, hosts files or container engines allow, or an IP address without brackets.
 *
 * @since 0.1.0
 * @category guards
 */
export const isHost = (text: string): boolean => hostName.test(text) || Result.isSuccess(NetAddress.ipFromString(text))

const isPort = (port: number): boolean => port >= 1 && port <= 65_535

/**
 * Returns the reason why this identity cannot be registered; undefined if it can. Names the field, never its value.
 *
 * @since 0.1.0
 * @category operations
 */
export const refusalOf = (producer: ProducerIdentity): string | undefined => {
  const { broadcast_address, http_port, tcp_port, version } = producer
  // NSQ's text, and its first check.
  if (broadcast_address === "" || tcp_port === 0 || http_port === 0 || version === "") return "missing fields"
  for (const [field, value] of Object.entries(producer)) {
    if (typeof value === "string" && Buffer.byteLength(value) > maxTextBytes) {
      return `${field} is longer than ${maxTextBytes} bytes`
    }
  }
  if (!isHost(broadcast_address)) return "broadcast_address is not a host name or an IP address"
  if (!isPort(tcp_port)) return "tcp_port is not between 1 and 65535"
  return isPort(http_port) ? undefined : "http_port is not between 1 and 65535"
}

/**
 * Whether host and HTTP port of this identity are valid.
 *
 * @since 0.1.0
 * @category guards
 */
export const isReachable = ({ broadcast_address, http_port }: LookupdIdentity): boolean =>
  isHost(broadcast_address) && isPort(http_port)

/**
 * Decodes the response to IDENTIFY; returns `undefined` if it is not a JSON object with fields of these types.
 *
 * @since 0.1.0
 * @category codecs
 */
export const decodeLookupd = (text: string): LookupdIdentity | undefined =>
  Result.getOrUndefined(decodeLookupdFields(lookupdFields(text)))

/**
 * Encodes the body of IDENTIFY as JSON.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeProducer: (producer: ProducerIdentity) => string = Schema.encodeSync(
  Schema.fromJsonString(ProducerIdentity)
)
/**
 * Encodes the response to IDENTIFY as JSON.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeLookupd: (lookupd: LookupdIdentity) => string = Schema.encodeSync(
  Schema.fromJsonString(LookupdIdentity)
)
