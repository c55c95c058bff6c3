/**
 * The output of the command decoder, one variant per command: parameters are parsed and checked, bodies are views of the input.
 * An invalid command is a value, too.
 */
import type { MessageKey } from "./Message.ts"
import type { PublishedBodies } from "./MessageBatch.ts"
import type { ChannelName, TopicName } from "./Names.ts"
import { type ErrorCode, type ProtocolError, protocolError } from "./ProtocolError.ts"

/**
 * Messages to publish. A `PUB` can represent `bodies.count` pipelined PUBs, each of which needs a response.
 *
 * @since 0.1.0
 * @category models
 */
export interface Publish {
  readonly _tag: "PUB" | "MPUB" | "DPUB" | "HPUB"
  readonly topic: TopicName
  readonly bodies: PublishedBodies
  readonly deferMillis: number
}

/**
 * FIN of a message.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fin extends MessageKey {
  readonly _tag: "FIN"
}
/**
 * TOUCH of a message.
 *
 * @since 0.1.0
 * @category models
 */
export interface Touch extends MessageKey {
  readonly _tag: "TOUCH"
}
/**
 * REQ of a message.
 *
 * @since 0.1.0
 * @category models
 */
export interface Req extends MessageKey {
  readonly _tag: "REQ"
  /** As sent by the client; can be negative or too large (NSQ's arithmetic wraps), and is clamped later. */
  readonly delayMillis: number
  /** The words after the delay, which NSQ ignores; absent without any. */
  readonly reason?: string
}

/**
 * A command that is invalid in every state; `topic` is set if NSQ creates the topic nevertheless.
 *
 * @since 0.1.0
 * @category models
 */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly command: string
  readonly error: ProtocolError
  readonly topic?: TopicName
}

/**
 * A decoded command.
 *
 * @since 0.1.0
 * @category models
 */
export type Decoded =
  | { readonly _tag: "IDENTIFY"; readonly body: Buffer }
  | { readonly _tag: "AUTH"; readonly secret: Buffer }
  | { readonly _tag: "SUB"; readonly topic: TopicName; readonly channel: ChannelName }
  | Publish
  | { readonly _tag: "RDY"; readonly count: number }
  | Fin
  | Touch
  | Req
  | { readonly _tag: "CLS" }
  | { readonly _tag: "NOP" }
  | Malformed
  /** No newline within the longest line: the connection is closed without an error. */
  | { readonly _tag: "Overlong" }

/**
 * A command that cannot be executed, with the error that the client gets.
 *
 * @since 0.1.0
 * @category operations
 */
export const malformed = (command: string, code: ErrorCode, description: string): Malformed => ({
  _tag: "Malformed",
  command,
  error: protocolError(code, description)
})
