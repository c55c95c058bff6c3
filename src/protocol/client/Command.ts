/**
 * The commands of a client (docs/protocol/client.md) as values, and their encoding. `CommandDecoder` decodes them.
 */
import { Schema } from "effect"
import { encodePlain, sized } from "./CommandBytes.ts"
import { encodeHeaders, Headers } from "./Headers.ts"
import { messageIdLength } from "./MessageBytes.ts"
import { ChannelName, TopicName } from "./Names.ts"

export { magicV2 } from "./CommandBytes.ts"

/**
 * The names of all commands, case sensitive.
 *
 * @since 0.1.0
 * @category constants
 */
export const commandNames = [
  "IDENTIFY",
  "AUTH",
  "SUB",
  "PUB",
  "MPUB",
  "DPUB",
  "HPUB",
  "RDY",
  "FIN",
  "REQ",
  "TOUCH",
  "CLS",
  "NOP"
] as const
/**
 * The name of a command.
 *
 * @since 0.1.0
 * @category models
 */
export type CommandName = (typeof commandNames)[number]

/**
 * The message id in a command: 16 printable bytes without space and newline, not necessarily hex.
 *
 * @since 0.1.0
 * @category schemas
 */
export const MessageIdParameter = Schema.String.pipe(
  Schema.check(
    Schema.isPattern(/^[\x21-\x7e]*$/),
    Schema.isMinLength(messageIdLength),
    Schema.isMaxLength(messageIdLength)
  )
)

const Body = Schema.Uint8Array.pipe(Schema.check(Schema.makeFilter((body: Uint8Array) => body.length > 0)))
/** The rest of a line. */
const Reason = Schema.String.check(
  Schema.isMinLength(1),
  Schema.makeFilter((reason: string) => !reason.includes("\n"))
)
const Count = Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(0)))

/**
 * A command as a value. Delays are in milliseconds.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Command = Schema.TaggedUnion({
  IDENTIFY: { body: Body },
  AUTH: { secret: Body },
  SUB: { topic: TopicName, channel: ChannelName },
  PUB: { topic: TopicName, body: Body },
  MPUB: { topic: TopicName, bodies: Schema.NonEmptyArray(Body) },
  DPUB: { topic: TopicName, deferMillis: Count, body: Body },
  HPUB: {
    topic: TopicName,
    deferMillis: Count,
    headers: Headers,
    body: Body
  },
  RDY: { count: Count },
  FIN: { id: MessageIdParameter },
  REQ: {
    id: MessageIdParameter,
    delayMillis: Count,
    /** Rejects the message, at a server that has it negotiated; NSQ's nsqd ignores it. */
    reason: Schema.optionalKey(Reason)
  },
  TOUCH: { id: MessageIdParameter },
  CLS: {},
  NOP: {}
})
/** A command as a value. Delays are in milliseconds. */
export type Command = typeof Command.Type

const headersBlock = (headers: Headers): Buffer => {
  const block = encodeHeaders(headers)
  if (Buffer.isBuffer(block)) return block
  throw new TypeError(block.message)
}

/**
 * Encodes a command. Throws if headers are larger than `maxHeadersBytes`.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeCommand = (command: Command): Buffer => {
  if (command._tag !== "HPUB") return encodePlain(command)
  const delay = command.deferMillis === 0 ? "" : ` ${command.deferMillis}`
  return Buffer.concat([
    Buffer.from(`HPUB ${command.topic}${delay}\n`),
    sized(headersBlock(command.headers)),
    sized(command.body)
  ])
}
