/**
 * Parses the parameters of command lines (docs/protocol/client.md#command-lines): names, counts, delays and message ids, with
 * NSQ's errors for invalid ones. Pure; `CommandDecoder` finds the line and reads the body after it.
 */
import { goQuote, parseDigits } from "../text/Text.ts"
import { type Decoded, type Malformed, malformed } from "./Decoded.ts"
import { messageIdLength } from "./Message.ts"
import { isChannelName, isTopicName, type TopicName } from "./Names.ts"

/** Converts milliseconds as NSQ does: via 64-bit nanoseconds, which wrap. */
const wrappedMillis = (millis: bigint): number =>
  millis < 9_000_000_000_000n ? Number(millis) : Number(BigInt.asIntN(64, millis * 1_000_000n)) / 1_000_000

/**
 * Parses the topic of a publish. As in NSQ, the error of MPUB contains the code twice.
 *
 * @since 0.1.0
 * @category operations
 */
export const topicParameter = (
  name: "PUB" | "MPUB" | "DPUB" | "HPUB",
  parameters: ReadonlyArray<string>,
  needed: number
): TopicName | Malformed => {
  const topic = parameters[1]
  if (topic === undefined || parameters.length < needed) {
    return malformed(name, "E_INVALID", `${name} insufficient number of parameters`)
  }
  if (isTopicName(topic)) return topic
  const text = `${name} topic name ${goQuote(Buffer.from(topic, "latin1"))} is not valid`
  return malformed(name, "E_BAD_TOPIC", name === "MPUB" ? `E_BAD_TOPIC ${text}` : text)
}

/**
 * Parses SUB with its topic and channel.
 *
 * @since 0.1.0
 * @category operations
 */
export const subCommand = (parameters: ReadonlyArray<string>): Decoded => {
  const [, topic, channel] = parameters
  if (topic === undefined || channel === undefined) {
    return malformed("SUB", "E_INVALID", "SUB insufficient number of parameters")
  }
  if (!isTopicName(topic)) {
    return malformed("SUB", "E_BAD_TOPIC", `SUB topic name ${goQuote(Buffer.from(topic, "latin1"))} is not valid`)
  }
  if (!isChannelName(channel)) {
    const quoted = goQuote(Buffer.from(channel, "latin1"))
    return malformed("SUB", "E_BAD_CHANNEL", `SUB channel name ${quoted} is not valid`)
  }
  return { _tag: "SUB", topic, channel }
}

/**
 * Parses RDY with its count, by default 1 and at most `maxRdyCount`.
 *
 * @since 0.1.0
 * @category operations
 */
export const rdyCommand = (parameter: string | undefined, maxRdyCount: number): Decoded => {
  if (parameter === undefined) return { _tag: "RDY", count: 1 }
  const digits = parseDigits(parameter)
  if (digits === undefined) return malformed("RDY", "E_INVALID", `RDY could not parse count ${parameter}`)
  const count = BigInt.asIntN(64, digits)
  if (count < 0n || count > BigInt(maxRdyCount)) {
    return malformed("RDY", "E_INVALID", `RDY count ${count} out of range 0-${maxRdyCount}`)
  }
  return { _tag: "RDY", count: Number(count) }
}

/**
 * Parses FIN, TOUCH or REQ with a message id of any 16 bytes.
 *
 * @since 0.1.0
 * @category operations
 */
export const messageCommand = (name: "FIN" | "TOUCH" | "REQ", parameters: ReadonlyArray<string>): Decoded => {
  const [, id, delay] = parameters
  if (id === undefined || (name === "REQ" && delay === undefined)) {
    return malformed(name, "E_INVALID", `${name} insufficient number of params`)
  }
  if (id.length !== messageIdLength) return malformed(name, "E_INVALID", "invalid message ID")
  const bytes = Buffer.from(id, "latin1")
  const a = bytes.readInt32BE(0)
  const b = bytes.readInt32BE(4)
  const c = bytes.readInt32BE(8)
  const d = bytes.readInt32BE(12)
  if (name !== "REQ") return { _tag: name, a, b, c, d }
  const millis = parseDigits(delay ?? "")
  if (millis === undefined) return malformed(name, "E_INVALID", `REQ could not parse timeout ${delay}`)
  const req = { _tag: name, a, b, c, d, delayMillis: wrappedMillis(millis) } as const
  if (parameters.length === 3) return req
  return { ...req, reason: Buffer.from(parameters.slice(3).join(" "), "latin1").toString() }
}

/**
 * Parses the delay of DPUB, in milliseconds. One above `maxMillis` is refused, and not clamped as for REQ.
 *
 * @since 0.1.0
 * @category operations
 */
export const deferParameter = (
  name: "DPUB" | "HPUB",
  text: string,
  maxMillis: number
): number | Malformed => {
  const digits = parseDigits(text)
  if (digits === undefined) return malformed(name, "E_INVALID", `${name} could not parse timeout ${text}`)
  const millis = wrappedMillis(digits)
  return millis < 0 || millis > maxMillis
    ? malformed(name, "E_INVALID", `${name} timeout ${digits} out of range 0-${maxMillis}`)
    : millis
}
