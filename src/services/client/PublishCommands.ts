/**
 * The commands of a Producer, checked before they are sent: nsqd closes the connection after a publish that it refuses, which
 * delays all others. The texts of refusals are nsqd's (docs/protocol/client.md#pub).
 *
 * Hot path: the command line of a topic is encoded once.
 */
import { Duration, Option } from "effect"
import type { ErrorCode } from "../../protocol/client/ErrorCodes.ts"
import { invalidHeaders } from "../../protocol/client/HeaderLines.ts"
import { isTopicName } from "../../protocol/client/NameRules.ts"
import { goQuote } from "../../protocol/text/Text.ts"
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import { HeadersCommand } from "./HeadersPublish.ts"
import type { PublishCommand } from "./Publishing.ts"

/** Limits of the servers in bytes, as far as they are known. */
export interface PublishLimits {
  readonly maxMsgSize: number
  readonly maxBodySize: number
}

type Name = "PUB" | "MPUB" | "DPUB"

const commandLines = new Map<string, Buffer>()
const maxCommandLines = 1000

const refusal = (topic: string, code: ErrorCode, text: string): ClientError =>
  new ClientError({
    reason: ClientErrorReason.PublishRefused({ topic, address: undefined, code, description: `${code} ${text}` })
  })

const badTopic = (name: Name, topic: string): ClientError =>
  refusal(topic, "E_BAD_TOPIC", `${name} topic name ${goQuote(Buffer.from(topic))} is not valid`)

/** Returns the command line of PUB, or `undefined` if the topic is not valid. */
const pubLine = (topic: string): Buffer | undefined => {
  const known = commandLines.get(topic)
  if (known !== undefined) return known
  if (!isTopicName(topic)) return undefined
  const line = Buffer.from(`PUB ${topic}\n`)
  if (commandLines.size < maxCommandLines) commandLines.set(topic, line)
  return line
}

const checkSize = (name: Name, topic: string, size: number, { maxMsgSize }: PublishLimits): ClientError | undefined => {
  if (size === 0) return refusal(topic, "E_BAD_MESSAGE", `${name} invalid message body size ${size}`)
  return size > maxMsgSize
    ? refusal(topic, "E_BAD_MESSAGE", `${name} message too big ${size} > ${maxMsgSize}`)
    : undefined
}

/** Returns PUB of one body, or why it is refused. */
export const pub = (
  topic: string,
  body: Uint8Array,
  key: string | undefined,
  limits: PublishLimits
): PublishCommand | ClientError => {
  const head = pubLine(topic)
  if (head === undefined) return badTopic("PUB", topic)
  const { length } = body
  if (length === 0 || length > limits.maxMsgSize) {
    return checkSize("PUB", topic, length, limits) ?? badTopic("PUB", topic)
  }
  return { topic, head, body, size: head.length + 4 + length, messages: 1, key }
}

/**
 * Adds encoded headers to a command of one message, or returns its refusal if `headers` is the reason why they are not valid. Servers
 * that do not have headers get the message without them.
 */
export const withHeaders = (
  command: PublishCommand | ClientError,
  headers: Buffer | string
): PublishCommand | ClientError => {
  if (command instanceof ClientError) return command
  const { body, head, topic } = command
  if (typeof headers === "string") return refusal(topic, "E_BAD_MESSAGE", `HPUB ${invalidHeaders(headers)}`)
  if (headers.length === 0 || !(body instanceof Uint8Array)) return command
  return { ...command, withHeaders: new HeadersCommand(head, headers, body) }
}

/** Returns MPUB of all bodies, of which there is at least one, or why they are refused. */
export const mpub = (
  topic: string,
  bodies: ReadonlyArray<Uint8Array>,
  key: string | undefined,
  limits: PublishLimits
): PublishCommand | ClientError => {
  if (!isTopicName(topic)) return badTopic("MPUB", topic)
  let bodySize = 4
  for (const [i, { length }] of bodies.entries()) {
    if (length === 0) return refusal(topic, "E_BAD_MESSAGE", `MPUB invalid message(${i}) body size ${length}`)
    const refused = checkSize("MPUB", topic, length, limits)
    if (refused !== undefined) return refused
    bodySize += 4 + length
  }
  if (bodySize > limits.maxBodySize) {
    return refusal(topic, "E_BAD_BODY", `MPUB body too big ${bodySize} > ${limits.maxBodySize}`)
  }
  const head = Buffer.from(`MPUB ${topic}\n`)
  return { topic, head, body: bodies, size: head.length + 4 + bodySize, messages: bodies.length, key }
}

/** Returns DPUB of one body, or why it is refused. */
export const dpub = (
  topic: string,
  body: Uint8Array,
  delay: Duration.Input,
  key: string | undefined,
  limits: PublishLimits
): PublishCommand | ClientError => {
  if (!isTopicName(topic)) return badTopic("DPUB", topic)
  const duration = Duration.fromInput(delay)
  const millis = Option.isSome(duration) ? Math.round(Duration.toMillis(duration.value)) : NaN
  // nsqd knows its longest delay (`--max-req-timeout`), and refuses a longer one.
  if (!(millis >= 0 && millis <= Number.MAX_SAFE_INTEGER)) {
    return refusal(topic, "E_INVALID", `DPUB delay ${String(delay)} is not a duration of 0 or more`)
  }
  const refused = checkSize("DPUB", topic, body.length, limits)
  if (refused !== undefined) return refused
  const head = Buffer.from(`DPUB ${topic} ${millis}\n`)
  return { topic, head, body, size: head.length + 4 + body.length, messages: 1, key }
}
