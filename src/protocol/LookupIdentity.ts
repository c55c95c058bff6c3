/**
 * How nsqd and nsqlookupd introduce themselves to each other (section 2 of the nsqlookupd notes): the body of IDENTIFY and
 * the answer to it.
 */
import { Effect, Result, Schema } from "effect"
import * as GoJson from "./GoJson.ts"

const Text = Schema.String.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed("")))
const Port = Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(0)))

/** What an nsqd says of itself. Absent fields and `null` are the zero value; unknown fields are ignored. */
export const ProducerIdentity = Schema.Struct({
  broadcast_address: Text,
  hostname: Text,
  http_port: Port,
  tcp_port: Port,
  topology_region: Text,
  topology_zone: Text,
  version: Text
})
export type ProducerIdentity = typeof ProducerIdentity.Type

/** What an nsqlookupd answers; keys in NSQ's order. */
export const LookupdIdentity = Schema.Struct({
  broadcast_address: Text,
  hostname: Text,
  http_port: Port,
  tcp_port: Port,
  version: Text
})
export type LookupdIdentity = typeof LookupdIdentity.Type

const producerFields = GoJson.reader(Object.keys(ProducerIdentity.fields))
const lookupdFields = GoJson.reader(Object.keys(LookupdIdentity.fields))
const decodeProducerFields = Schema.decodeUnknownResult(ProducerIdentity)
const decodeLookupdFields = Schema.decodeUnknownResult(LookupdIdentity)

/** Reads the body of IDENTIFY; `undefined` when it is not a JSON object with fields of these types. */
export const decodeProducer = (text: string): ProducerIdentity | undefined =>
  Result.getOrUndefined(decodeProducerFields(producerFields(text)))

/** Whether all is said that others need to reach this nsqd. */
export const isComplete = (producer: ProducerIdentity): boolean =>
  producer.broadcast_address !== "" && producer.tcp_port !== 0 && producer.http_port !== 0 && producer.version !== ""

/** Reads the answer to IDENTIFY; `undefined` when it is not a JSON object with fields of these types. */
export const decodeLookupd = (text: string): LookupdIdentity | undefined =>
  Result.getOrUndefined(decodeLookupdFields(lookupdFields(text)))

export const encodeProducer: (producer: ProducerIdentity) => string = Schema.encodeSync(
  Schema.fromJsonString(ProducerIdentity)
)
export const encodeLookupd: (lookupd: LookupdIdentity) => string = Schema.encodeSync(
  Schema.fromJsonString(LookupdIdentity)
)
