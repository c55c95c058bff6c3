/** Topics of values in JSON, whose codec is loaded with the first value. */
import { Effect, type Schema } from "effect"
import * as NameRules from "../../protocol/client/NameRules.ts"
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import type * as TopicCodec from "./TopicCodec.ts"

const invalid = (topic: string) => ({ message: description }: { readonly message: string }): ClientError =>
  new ClientError({ reason: ClientErrorReason.InvalidMessage({ topic, description }) })

const codecs = Effect.promise(() => import("./TopicCodec.ts"))

/** Returns a topic of values whose codec is chosen when the first value is encoded or decoded. */
export const make = <A>(name: string, choose: (codecs: typeof TopicCodec) => TopicCodec.TopicCodec<A>) => {
  let chosen: TopicCodec.TopicCodec<A> | undefined
  const codec = Effect.map(codecs, (loaded) => chosen ??= choose(loaded))
  const use = <B>(
    run: (codec: TopicCodec.TopicCodec<A>) => Effect.Effect<B, Schema.SchemaError>
  ): Effect.Effect<B, ClientError> =>
    Effect.mapError(chosen === undefined ? Effect.flatMap(codec, run) : run(chosen), invalid(name))
  return {
    name: NameRules.topicName(name),
    encode: (value: A): Effect.Effect<Uint8Array, ClientError> =>
      use(({ encode }) => Effect.map(encode(value), (text) => Buffer.from(text))),
    decode: (body: Uint8Array): Effect.Effect<A, ClientError> =>
      use(({ decode }) => decode(Buffer.from(body.buffer, body.byteOffset, body.length).toString()))
  }
}
