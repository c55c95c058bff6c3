/**
 * What the command decoder gives out, one variant per command: parameters read and checked, bodies as views of what arrived.
 * A command that cannot be carried out is a value too.
 */
import type { MessageKey } from "./Message.ts"
import type { PublishedBodies } from "./MessageBatch.ts"
import type { ChannelName, TopicName } from "./Names.ts"
import { type ErrorCode, type ProtocolError, protocolError } from "./ProtocolError.ts"

/** Messages to publish. A `PUB` may stand for `bodies.count` pipelined PUBs, each of which is to be answered. */
export interface Publish {
  readonly _tag: "PUB" | "MPUB" | "DPUB"
  readonly topic: TopicName
  readonly bodies: PublishedBodies
  readonly deferMillis: number
}

export interface Fin extends MessageKey {
  readonly _tag: "FIN"
}
export interface Touch extends MessageKey {
  readonly _tag: "TOUCH"
}
export interface Req extends MessageKey {
  readonly _tag: "REQ"
  /** As the client asked; may be negative or too large (NSQ's arithmetic wraps), to be clamped. */
  readonly delayMillis: number
}

/** A command that cannot be carried out whatever the state; `topic` is set where NSQ creates the topic all the same. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly command: string
  readonly error: ProtocolError
  readonly topic?: TopicName
}

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
  /** No newline within the longest line: the connection is closed without a word. */
  | { readonly _tag: "Overlong" }

export const malformed = (command: string, code: ErrorCode, description: string): Malformed => ({
  _tag: "Malformed",
  command,
  error: protocolError(code, description)
})
