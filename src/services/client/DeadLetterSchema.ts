/** The Schema of the envelopes of dead letters, from the functions of Effect's module that it needs, because that is loaded late. */
import type { Schema as SchemaModule } from "effect"

/** Returns the Schema. */
export const make = (
  Schema: Pick<typeof SchemaModule, "BigIntFromString" | "Int" | "String" | "Struct" | "Uint8ArrayFromBase64">
) =>
  Schema.Struct({
    /** Topic and channel that the message was consumed from. */
    topic: Schema.String,
    channel: Schema.String,
    id: Schema.String,
    /** Number of deliveries. */
    attempts: Schema.Int,
    /** Time at which nsqd accepted the message, in nanoseconds since the Unix epoch. */
    timestamp: Schema.BigIntFromString,
    /** Address of the nsqd that delivered the message last, `host:port`. */
    address: Schema.String,
    /** The cause as text: the error of the handler, or why the body cannot be decoded. At most 10,000 characters. */
    cause: Schema.String,
    body: Schema.Uint8ArrayFromBase64
  })
