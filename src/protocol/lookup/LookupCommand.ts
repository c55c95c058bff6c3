/**
 * The commands of nsqd to nsqlookupd (docs/protocol/nsqlookupd.md#requests) as values, their encoding, and
 * `LookupCommandDecoder`, which decodes them from input in pieces of any size. Unlike NSQ, it limits lines and bodies.
 */
import { Schema } from "effect"
import { ArrivedBytes } from "../client/ArrivedBytes.ts"
import { ChannelName, isChannelName, isTopicName, TopicName } from "../client/Names.ts"
import { type ErrorCode, type ProtocolError, protocolError } from "../client/ProtocolError.ts"
import { decodeProducer, encodeProducer, ProducerIdentity, refusalOf } from "./LookupIdentity.ts"

/**
 * The first bytes of an nsqd: protocol version 1.
 *
 * @since 0.1.0
 * @category constants
 */
export const magicV1 = "  V1"

const Registration = { topic: TopicName, channel: Schema.UndefinedOr(ChannelName) }

/**
 * A command as a value.
 *
 * @since 0.1.0
 * @category schemas
 */
export const LookupCommand = Schema.TaggedUnion({
  PING: {},
  IDENTIFY: { producer: ProducerIdentity },
  REGISTER: Registration,
  UNREGISTER: Registration
})
/** A command as a value. */
export type LookupCommand = typeof LookupCommand.Type

/**
 * Encodes a command.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeLookupCommand = (command: LookupCommand): Buffer => {
  switch (command._tag) {
    case "PING":
      return Buffer.from("PING\n")
    case "IDENTIFY": {
      const body = Buffer.from(encodeProducer(command.producer))
      const size = Buffer.allocUnsafe(4)
      size.writeInt32BE(body.length)
      return Buffer.concat([Buffer.from("IDENTIFY\n"), size, body])
    }
    case "REGISTER":
    case "UNREGISTER": {
      const { _tag, channel, topic } = command
      return Buffer.from(channel === undefined ? `${_tag} ${topic}\n` : `${_tag} ${topic} ${channel}\n`)
    }
  }
}

/** The maximum length of a line: far more than two names need. */
const maxLineBytes = 1024
/** The maximum size of a body: far more than IDENTIFY needs. */
const maxBodyBytes = 64 * 1024

const newline = 10

/** Descriptions quote names of the client byte by byte, with one character per byte (latin1). */
const registration = (tag: "REGISTER" | "UNREGISTER", params: ReadonlyArray<string>): LookupCommand | ProtocolError => {
  const [, topic, given = ""] = params
  if (topic === undefined) return protocolError("E_INVALID", `${tag} insufficient number of params`)
  const invalid = (code: ErrorCode, what: string, name: string) =>
    protocolError(code, `${tag} ${what} name '${name}' is not valid`)
  if (!isTopicName(topic)) return invalid("E_BAD_TOPIC", "topic", topic)
  if (given === "") return { _tag: tag, topic, channel: undefined }
  return isChannelName(given) ? { _tag: tag, topic, channel: given } : invalid("E_BAD_CHANNEL", "channel", given)
}

const badBody = (what: string): ProtocolError => protocolError("E_BAD_BODY", `IDENTIFY ${what}`)

/**
 * Decodes the commands of one connection.
 *
 * @since 0.1.0
 * @category models
 */
export class LookupCommandDecoder {
  private readonly arrived = new ArrivedBytes()
  private ended = false
  /** Whether the line of IDENTIFY is read and its body is not. */
  private awaitsBody = false

  feed(chunk: Uint8Array): void {
    this.arrived.add(chunk)
  }

  /** Records the end of the input. */
  finish(): void {
    this.ended = true
  }

  /**
   * Returns the next command, or the error that ends the connection; `undefined` while bytes are missing. `identified` states
   * whether the client has sent IDENTIFY.
   */
  next(identified: boolean): LookupCommand | ProtocolError | undefined {
    if (this.awaitsBody) return this.body()
    const bytes = this.arrived.all
    const end = bytes.indexOf(newline)
    if (end < 0 && bytes.length <= maxLineBytes) return undefined
    if (end < 0 || end > maxLineBytes) return protocolError("E_INVALID", "command line too long")
    const params = bytes.toString("latin1", 0, end).trim().split(" ")
    this.arrived.drop(end + 1)
    const [name = ""] = params
    switch (name) {
      case "PING":
        return { _tag: "PING" }
      case "IDENTIFY":
        if (identified) return protocolError("E_INVALID", "cannot IDENTIFY again")
        this.awaitsBody = true
        return this.body()
      case "REGISTER":
      case "UNREGISTER":
        return identified ? registration(name, params) : protocolError("E_INVALID", "client must IDENTIFY")
      default:
        return protocolError("E_INVALID", `invalid command ${name}`)
    }
  }

  private body(): LookupCommand | ProtocolError | undefined {
    const bytes = this.arrived.all
    if (bytes.length < 4) return this.ended ? badBody("failed to read body size") : undefined
    const size = bytes.readInt32BE(0)
    if (size < 0 || size > maxBodyBytes) return badBody(`invalid body size ${size}`)
    if (bytes.length < 4 + size) return this.ended ? badBody("failed to read body") : undefined
    const producer = decodeProducer(bytes.toString("utf8", 4, 4 + size))
    this.arrived.drop(4 + size)
    this.awaitsBody = false
    if (producer === undefined) return badBody("failed to decode JSON body")
    const refusal = refusalOf(producer)
    return refusal === undefined ? { _tag: "IDENTIFY", producer } : badBody(refusal)
  }
}
