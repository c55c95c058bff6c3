/**
 * The topics of client programs: a name and the type of the messages. Producer and Consumer take a plain name for bytes, or a
 * topic with a Schema for values.
 */
import { Effect, type Schema, Tracer } from "effect"
import * as NameRules from "../../protocol/client/NameRules.ts"
import type { ClientError } from "./ClientError.ts"
import * as ValueTopic from "./ValueTopic.ts"

/**
 * A topic whose messages are values of type `A`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Topic<A> {
  readonly name: NameRules.TopicName
  /** Fails with the reason `InvalidMessage`, and so does `decode`. */
  readonly encode: (value: A) => Effect.Effect<Uint8Array, ClientError>
  readonly decode: (body: Uint8Array) => Effect.Effect<A, ClientError>
  /**
   * Returns the link from a message to the span of its publish. Only traced topics have it; their producers and consumers
   * create a span for each message.
   */
  readonly linkOf?: (body: Uint8Array) => Tracer.SpanLink | undefined
}

/**
 * Returns a topic whose messages are values in JSON. Dies if NSQ does not accept the name.
 *
 * ```ts
 * const orders = Topic.make("orders", Schema.Struct({ item: Schema.String, quantity: Schema.Int }))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I>(name: string, schema: Schema.Codec<A, I>): Topic<A> =>
  ValueTopic.make(name, ({ of }) => of(schema))

/** Where a traced message carries its span: the last field of the JSON object, in the form of W3C's `traceparent`. */
const carried = /,?"traceparent":"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"\}$/
/** More bytes than a match of `carried` has. */
const carriedBytes = 100

/**
 * Adds a field `traceparent` to a body that is a JSON object; returns other bodies unchanged. The span is in the body because
 * NSQ's messages have no headers.
 */
const addSpan = (body: Uint8Array, span: Tracer.AnySpan): Uint8Array => {
  const text = bufferOf(body)
  const last = text.length - 1
  if (text[0] !== "{".charCodeAt(0) || text[last] !== "}".charCodeAt(0)) return body
  const separator = text.length === 2 ? "" : ","
  const sampled = span.sampled ? "01" : "00"
  const field = `${separator}"traceparent":"00-${span.traceId}-${span.spanId}-${sampled}"}`
  return Buffer.concat([text.subarray(0, last), Buffer.from(field)])
}

const linkOf = (body: Uint8Array): Tracer.SpanLink | undefined => {
  const [, traceId, spanId, flags] = carried.exec(bufferOf(body).subarray(-carriedBytes).toString("latin1")) ?? []
  if (traceId === undefined || spanId === undefined) return undefined
  return { span: Tracer.externalSpan({ traceId, spanId, sampled: flags === "01" }), attributes: {} }
}

/**
 * Returns a topic whose messages are traced: publishing and handling create spans, and the handler's span links to the
 * publisher's through a field `traceparent` in the JSON.
 *
 * @since 0.1.0
 * @category operations
 */
export const traced = <A>(topic: Topic<A>): Topic<A> => ({
  ...topic,
  encode: (value) =>
    Effect.flatMap(topic.encode(value), (body) =>
      Effect.match(Effect.currentSpan, {
        onSuccess: (span) => addSpan(body, span),
        onFailure: () => body
      })),
  linkOf
})

/**
 * Returns a topic whose messages are bytes. Dies if NSQ does not accept the name.
 *
 * @since 0.1.0
 * @category operations
 */
export const bytes = (name: string): Topic<Uint8Array> => ({
  name: NameRules.topicName(name),
  encode: Effect.succeed,
  decode: Effect.succeed
})

/**
 * Returns the checked name of a channel. Dies if NSQ does not accept it.
 *
 * @since 0.1.0
 * @category operations
 */
export const channelName = (name: string): NameRules.ChannelName => NameRules.channelName(name)

const bufferOf = (body: Uint8Array): Buffer => Buffer.from(body.buffer, body.byteOffset, body.length)
