/** What the pages say about stored messages and refused requests for them. Pure. */
import type { BrowsedMessage } from "../../protocol/http/MessagesResponse.ts"
import * as Format from "./format.ts"

/** The kinds of filters for messages, by the parameter of the API. */
export const filters = [
  ["contains", "Text"],
  ["json", "JSON path=value"],
  ["regex", "Regular expression"]
] as const

/** The states of a message, with their names. */
export const states = [
  ["waiting", "waiting"],
  ["in_flight", "in flight"],
  ["deferred", "deferred"],
  ["retained", "finished, still kept"],
  ["dead", "dead letters"]
] as const

/** Returns what names a message: its sequence, or its id if the topic is not durable. */
export const nameOf = ({ id, sequence }: BrowsedMessage): string => sequence === undefined ? id : String(sequence)

/** Returns the name of a state. */
export const stateName = (state: BrowsedMessage["state"]): string =>
  state === "in_flight" ? "in flight" : state === "dead" ? "dead letter" : state

/** Returns when nsqd accepted a message, in Unix milliseconds. */
export const publishedAt = ({ timestamp }: BrowsedMessage): number => Number(BigInt(timestamp) / 1_000_000n)

/** Returns the beginning of the body in one line. */
export const preview = ({ body, body_base64 }: BrowsedMessage): string =>
  (body ?? `base64: ${body_base64 ?? ""}`).slice(0, 200).replace(/\s+/g, " ")

/** Returns the bytes of the body that nsqadmin has. */
export const bodyOf = ({ body, body_base64 }: BrowsedMessage): Uint8Array =>
  body === undefined
    ? Uint8Array.from(atob(body_base64 ?? ""), (char) => char.charCodeAt(0))
    : new TextEncoder().encode(body)

/** Where a dead letter comes from (docs/policies.md#dead-letters). */
export interface Origin {
  readonly topic: string
  readonly channel: string
  readonly reason: string
  /** All that is known, with names. */
  readonly properties: ReadonlyArray<readonly [name: string, value: string | undefined]>
}

const isOriginHeader = (name: string): boolean => name.startsWith("nsq-origin-") || name === "nsq-dead-reason"

/** Returns where a dead letter comes from; undefined for another message. */
export const originOf = ({ headers = {} }: BrowsedMessage): Origin | undefined => {
  const topic = headers["nsq-origin-topic"]
  if (topic === undefined) return undefined
  const channel = headers["nsq-origin-channel"] ?? ""
  const reason = headers["nsq-dead-reason"] ?? ""
  const timestamp = headers["nsq-origin-timestamp"] ?? ""
  const expires = headers["nsq-origin-expires"]
  return {
    topic,
    channel,
    reason,
    properties: [
      ["Reason", reason],
      ["Topic of origin", topic],
      ["Channel of origin", channel],
      ["Id of origin", headers["nsq-origin-id"]],
      [
        "First published",
        /^\d{1,19}$/.test(timestamp) ? new Date(Number(BigInt(timestamp) / 1_000_000n)).toISOString() : timestamp
      ],
      ["Attempts before", headers["nsq-origin-attempts"]],
      ["Last consumer", headers["nsq-origin-client"]],
      // In ms since the Unix epoch; publishers may send anything.
      [
        "Own expiry",
        expires !== undefined && /^\d{1,15}$/.test(expires) ? new Date(Number(expires)).toISOString() : expires
      ]
    ]
  }
}

/** Returns the headers besides those of the origin. */
export const otherHeaders = ({ headers = {} }: BrowsedMessage): ReadonlyArray<readonly [name: string, value: string]> =>
  Object.entries(headers).filter(([name]) => !isOriginHeader(name))

/** Whether topics of this name have dead letters by default. */
export const isDeadLetterTopic = (topic: string): boolean => topic.endsWith(".dlq")

/** Returns the attempts in words; an empty string for a finished message, whose attempts nsqd does not keep. */
export const attempts = ({ attempts: count, state }: Pick<BrowsedMessage, "attempts" | "state">): string =>
  count > 0 ? Format.quantity(count, "attempt") : state === "retained" ? "" : "not delivered"

/** Returns a sentence for the refusal of a request about stored messages. */
export const refusal = (message: string, topic: string): string => {
  const code = message.replace(/:.*/s, "")
  switch (code) {
    case "NOT_DURABLE":
      return `Topic ${topic} is not durable on this node: it has no log, which keeps finished messages. Start nsqd with ` +
        `--topic-durability=${topic}=written, or change the durability of the topic at run time with PUT /topic/durability.`
    case "NOT_SUPPORTED":
      return "NSQ's nsqd does not have this feature."
    case "TOPIC_NOT_FOUND":
      return `This node does not have topic ${topic}.`
    case "CHANNEL_NOT_FOUND":
      return "This node does not have the channel."
    case "NODE_NOT_FOUND":
      return "The node does not respond to nsqadmin. Select another one."
    case "MESSAGE_NOT_FOUND":
      return "The channel does not have this message in that state any more."
    case "MESSAGE_ON_DISK":
      return "The message is in the files of the channel's disk queue. It can be deleted when nsqd has read it for delivery."
    case "INVALID_ARG_REGEX":
      return "The filter is not a valid regular expression."
    case "INVALID_ARG_JSON":
      return "The filter must be a path and a value, such as user.id=42."
    case "INVALID_ARG_TO":
      return "The time is not valid."
    case "REDRIVE_RUNNING":
      return "A redrive of this topic is in progress on this node."
    case "UPSTREAM_ERROR":
      return "No daemon responded to nsqadmin's request."
    default:
      return message
  }
}
