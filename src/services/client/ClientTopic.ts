/**
 * A topic as programs know it: its name, and what its messages mean. Producer and Consumer take either, a plain name for
 * bytes or a topic with a Schema for values.
 */
import { Effect, Schema } from "effect"
import { ChannelName, type ChannelName as ChannelNameType, TopicName } from "../../protocol/Names.ts"

/** A value cannot be written as a message body, or a body is not such a value. */
export class MessageCodecError extends Schema.TaggedError<MessageCodecError>()("MessageCodecError", {
  topic: Schema.String,
  description: Schema.String
}) {
  override get message(): string {
    return `${this.topic}: ${this.description}`
  }
}

/** A topic whose messages are values of type `A`. */
export interface Topic<A> {
  readonly name: TopicName
  readonly encode: (value: A) => Effect.Effect<Uint8Array, MessageCodecError>
  readonly decode: (body: Uint8Array) => Effect.Effect<A, MessageCodecError>
}

const codecError = (topic: string) => (error: { readonly message: string }): MessageCodecError =>
  new MessageCodecError({ topic, description: error.message })

/** A topic of values in JSON: `Topic.make("orders", Order)`. Fails as a defect for a name that NSQ does not accept. */
export const make = <A, I>(name: string, schema: Schema.Codec<A, I>): Topic<A> => {
  const json = Schema.fromJsonString(schema)
  const encode = Schema.encodeEffect(json)
  const decode = Schema.decodeUnknownEffect(json)
  return {
    name: TopicName.make(name),
    encode: (value) => encode(value).pipe(Effect.map((text) => Buffer.from(text)), Effect.mapError(codecError(name))),
    decode: (body) => Effect.mapError(decode(bufferOf(body).toString()), codecError(name))
  }
}

/** A topic of bytes. */
export const bytes = (name: string): Topic<Uint8Array> => ({
  name: TopicName.make(name),
  encode: Effect.succeed,
  decode: Effect.succeed
})

/** A channel's name, checked. */
export const channelName = (name: string): ChannelNameType => ChannelName.make(name)

const bufferOf = (body: Uint8Array): Buffer => Buffer.from(body.buffer, body.byteOffset, body.length)
