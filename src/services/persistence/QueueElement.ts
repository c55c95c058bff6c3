/**
 * An element of a persisted queue as the body of a message: JSON with the id, the value and what NSQ does not keep.
 */
import { Result, Schema } from "effect"

/** The body. */
export const QueueElement = Schema.Struct({
  id: Schema.String,
  /** Whether the program chose the id, so that later offers of it are ignored. */
  isCustomId: Schema.Boolean,
  /** Attempts before those that nsqd counts for this message. */
  attempts: Schema.Int,
  /** Unix milliseconds before which the element must not be taken; absent if nsqd's own delay is sufficient. */
  visibleAt: Schema.optionalKey(Schema.Finite),
  element: Schema.Json,
  /** Why the element failed; only in the topic of failed elements. */
  failure: Schema.optionalKey(Schema.String)
})
export type QueueElement = typeof QueueElement.Type

const json = Schema.fromJsonString(QueueElement)
const decodeBody = Schema.decodeResult(json)
const decodeElement = Schema.decodeUnknownResult(Schema.Json)

/** Encodes the body. */
export const encode: (element: QueueElement) => string = Schema.encodeSync(json)

/** Decodes a body; `undefined` if it is not that of an element. */
export const decode = (body: Uint8Array): QueueElement | undefined =>
  Result.getOrUndefined(decodeBody(Buffer.from(body.buffer, body.byteOffset, body.length).toString()))

/** Returns a value as JSON; `undefined` if it is not JSON. */
export const jsonOf = (value: unknown): Schema.Json | undefined => Result.getOrUndefined(decodeElement(value))
