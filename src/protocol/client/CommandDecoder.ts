/**
 * Decodes commands from the input of a connection: pure, synchronous and resumable at every byte. It returns one command at a
 * time, so that the connection's state decides whether the next one is permitted; pipelined PUBs of one topic are returned as
 * one command. No memory is allocated for a size before it is checked and its bytes have arrived.
 *
 * Hot path: FIN is decoded without searching for its newline, bodies are views of the input, and a run of PUBs with the same
 * command line parses that line once, as does a run of HPUBs.
 */
import type { CommandName } from "./Command.ts"
import { commandNames } from "./Command.ts"
import { CommandInput } from "./CommandInput.ts"
import { deferParameter, messageCommand, rdyCommand, subCommand, topicParameter } from "./CommandLine.ts"
import { type Decoded, type Malformed, malformed } from "./Decoded.ts"
import { readHeadersAndBody } from "./HeadersCommand.ts"
import type { TopicName } from "./Names.ts"
import type { ErrorCode, ProtocolError } from "./ProtocolError.ts"

/**
 * The maximum length of a command line in bytes, including its newline.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxLineLength = 16384

/**
 * The limits of sizes and numbers.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecoderLimits {
  /** Bytes of one message body. */
  readonly maxMsgSize: number
  /** Bytes of the body of IDENTIFY, AUTH and MPUB. */
  readonly maxBodySize: number
  /** Bytes of the body of IDENTIFY and AUTH, which arrive before the client is authenticated. */
  readonly maxIdentifySize: number
  /** The longest DPUB delay in milliseconds. */
  readonly maxReqTimeoutMillis: number
  readonly maxRdyCount: number
}

/**
 * Called as soon as a command line is complete; `refuse` returns the error if the connection's state does not permit it.
 *
 * @since 0.1.0
 * @category models
 */
export interface CommandGate {
  readonly refuse: (command: string) => ProtocolError | undefined
}

const newline = 10
const space = 32

const known = new Set<string>(commandNames)
const isCommandName = (name: string): name is CommandName => known.has(name)

/** Whether any of the four bytes is a space, a newline or another control character (bit trick for "byte < 0x21"). */
const hasSeparator = (word: number): boolean => ((word - 0x21212121) & ~word & 0x80808080) !== 0

/** An HPUB line, including its newline. */
interface HpubLine {
  readonly bytes: Buffer
  readonly topic: TopicName
  readonly deferMillis: number
}

/**
 * Decodes the commands of one connection.
 *
 * @since 0.1.0
 * @category models
 */
export class CommandDecoder extends CommandInput {
  private readonly limits: DecoderLimits
  /** The last PUB line, including its newline, and its topic. */
  private pubLine: Buffer | undefined
  private pubTopic: TopicName | undefined
  /** The last HPUB line. */
  private hpubLine: HpubLine | undefined
  /** The checked part of the MPUB at `position`, so that a body that arrives in pieces is checked once. */
  private walkedCount = 0
  private walkedBytes = 0

  constructor(limits: DecoderLimits) {
    super()
    this.limits = limits
  }

  /** Returns the next command; `undefined` while bytes are missing. Must not be called after `Malformed` or `Overlong`. */
  next(gate: CommandGate): Decoded | undefined {
    let command = this.decode(gate)
    while (command === undefined && this.refill()) command = this.decode(gate)
    return command
  }

  private decode(gate: CommandGate): Decoded | undefined {
    const { buffer, end, position } = this
    if (position === end) return undefined
    const first = buffer[position]
    if (first === 70 && end - position > 20) {
      const fin = this.fixedFin(gate)
      if (fin !== undefined) return fin
    }
    if (first === 80 && this.pubLine !== undefined && this.matches(this.pubLine, position)) {
      const refused = gate.refuse("PUB")
      if (refused !== undefined) return { _tag: "Malformed", command: "PUB", error: refused }
      return this.pub(position + this.pubLine.length)
    }
    if (first === 72 && this.hpubLine !== undefined && this.matches(this.hpubLine.bytes, position)) {
      const refused = gate.refuse("HPUB")
      if (refused !== undefined) return { _tag: "Malformed", command: "HPUB", error: refused }
      return this.withHeaders(this.hpubLine, position + this.hpubLine.bytes.length)
    }
    const lineEnd = this.findNewline()
    if (lineEnd < 0) return end - position >= maxLineLength ? { _tag: "Overlong" } : undefined
    return this.line(lineEnd, gate)
  }

  /** Decodes `FIN <16 bytes>\n`, the most frequent command by far. */
  private fixedFin(gate: CommandGate): Decoded | undefined {
    const { buffer, position } = this
    if (
      buffer[position + 1] !== 73 || buffer[position + 2] !== 78 || buffer[position + 3] !== space ||
      buffer[position + 20] !== newline
    ) return undefined
    const a = buffer.readInt32BE(position + 4)
    const b = buffer.readInt32BE(position + 8)
    const c = buffer.readInt32BE(position + 12)
    const d = buffer.readInt32BE(position + 16)
    if (hasSeparator(a) || hasSeparator(b) || hasSeparator(c) || hasSeparator(d)) return undefined
    const refused = gate.refuse("FIN")
    if (refused !== undefined) return { _tag: "Malformed", command: "FIN", error: refused }
    this.position = position + 21
    return { _tag: "FIN", a, b, c, d }
  }

  private findNewline(): number {
    const limit = Math.min(this.end, this.position + maxLineLength)
    for (let i = this.position; i < limit; i++) {
      if (this.buffer[i] === newline) return i
    }
    return -1
  }

  private matches(line: Buffer, position: number): boolean {
    const length = line.length
    if (this.end - position < length) return false
    for (let i = 0; i < length; i++) {
      if (this.buffer[position + i] !== line[i]) return false
    }
    return true
  }

  private line(lineEnd: number, gate: CommandGate): Decoded | undefined {
    const { buffer, position } = this
    const textEnd = lineEnd > position && buffer[lineEnd - 1] === 13 ? lineEnd - 1 : lineEnd
    const parameters = buffer.toString("latin1", position, textEnd).split(" ")
    const name = parameters[0] ?? ""
    const refused = gate.refuse(name)
    if (refused !== undefined) return { _tag: "Malformed", command: name, error: refused }
    if (!isCommandName(name)) return malformed(name, "E_INVALID", `invalid command ${name}`)
    const body = lineEnd + 1
    switch (name) {
      case "PUB": {
        const topic = topicParameter(name, parameters, 2)
        if (typeof topic !== "string") return topic
        this.pubLine = Buffer.from(buffer.subarray(position, body))
        this.pubTopic = topic
        return this.pub(body)
      }
      case "DPUB":
        return this.dpub(parameters, body)
      case "HPUB":
        return this.hpub(parameters, body)
      case "MPUB": {
        const topic = topicParameter(name, parameters, 2)
        return typeof topic === "string" ? this.mpub(topic, body) : topic
      }
      case "IDENTIFY": {
        const bytes = this.sizedBody(name, body)
        return Buffer.isBuffer(bytes) ? { _tag: name, body: bytes } : bytes
      }
      case "AUTH": {
        if (parameters.length !== 1) return malformed(name, "E_INVALID", "AUTH invalid number of parameters")
        const bytes = this.sizedBody(name, body)
        return Buffer.isBuffer(bytes) ? { _tag: name, secret: bytes } : bytes
      }
      case "FIN":
      case "TOUCH":
      case "REQ": {
        this.position = body
        return messageCommand(name, parameters)
      }
      case "SUB": {
        this.position = body
        return subCommand(parameters)
      }
      case "RDY": {
        this.position = body
        return rdyCommand(parameters[1], this.limits.maxRdyCount)
      }
      case "CLS":
      case "NOP":
        this.position = body
        return { _tag: name }
    }
  }

  /** Reads and consumes the size-prefixed body of IDENTIFY and AUTH. */
  private sizedBody(name: "IDENTIFY" | "AUTH", at: number): Buffer | Malformed | undefined {
    const { buffer, end } = this
    if (end - at < 4) return this.cutOff(name, "E_BAD_BODY", `${name} failed to read body size`)
    const size = buffer.readInt32BE(at)
    const { maxBodySize, maxIdentifySize } = this.limits
    if (size > maxBodySize) return malformed(name, "E_BAD_BODY", `${name} body too big ${size} > ${maxBodySize}`)
    if (size > maxIdentifySize) {
      return malformed(name, "E_BAD_BODY", `${name} body too big ${size} > ${maxIdentifySize} (--max-identify-size)`)
    }
    if (size <= 0) return malformed(name, "E_BAD_BODY", `${name} invalid body size ${size}`)
    if (end - at - 4 < size) return this.cutOff(name, "E_BAD_BODY", `${name} failed to read body`)
    this.position = at + 4 + size
    return buffer.subarray(at + 4, at + 4 + size)
  }

  /** Checks the size at `at`; returns it if the whole body has arrived. */
  private messageSize(name: "PUB" | "DPUB", at: number): number | Malformed | undefined {
    if (this.end - at < 4) return this.cutOff(name, "E_BAD_MESSAGE", `${name} failed to read message body size`)
    const size = this.buffer.readInt32BE(at)
    if (size <= 0) return malformed(name, "E_BAD_MESSAGE", `${name} invalid message body size ${size}`)
    if (size > this.limits.maxMsgSize) {
      return malformed(name, "E_BAD_MESSAGE", `${name} message too big ${size} > ${this.limits.maxMsgSize}`)
    }
    if (this.end - at - 4 < size) {
      this.missing = at + 4 + size - this.end
      return this.cutOff(name, "E_BAD_MESSAGE", `${name} failed to read message body`)
    }
    return size
  }

  /** Decodes the PUB whose body starts at `at`, and all PUBs directly after it with the same line. */
  private pub(at: number): Decoded | undefined {
    const { buffer, end, pubLine, pubTopic } = this
    if (pubLine === undefined || pubTopic === undefined) throw new Error("invariant: a PUB line has been read")
    const size = this.messageSize("PUB", at)
    if (typeof size !== "number") return size
    let count = 1
    let bodyBytes = size
    let next = at + 4 + size
    const gap = pubLine.length
    while (end - next >= gap + 4 && this.matches(pubLine, next)) {
      const more = buffer.readInt32BE(next + gap)
      if (more <= 0 || more > this.limits.maxMsgSize || end - next - gap - 4 < more) break
      count++
      bodyBytes += more
      next += gap + 4 + more
    }
    this.position = next
    return { _tag: "PUB", topic: pubTopic, bodies: this.bodies(at, next, gap, count, bodyBytes), deferMillis: 0 }
  }

  private dpub(parameters: ReadonlyArray<string>, at: number): Decoded | undefined {
    const topic = topicParameter("DPUB", parameters, 3)
    if (typeof topic !== "string") return topic
    const deferMillis = deferParameter("DPUB", parameters[2] ?? "", this.limits.maxReqTimeoutMillis)
    if (typeof deferMillis !== "number") return deferMillis
    const size = this.messageSize("DPUB", at)
    if (typeof size !== "number") return size
    this.position = at + 4 + size
    return { _tag: "DPUB", topic, bodies: this.bodies(at, this.position, 0, 1, size), deferMillis }
  }

  private hpub(parameters: ReadonlyArray<string>, body: number): Decoded | undefined {
    const topic = topicParameter("HPUB", parameters, 2)
    if (typeof topic !== "string") return topic
    const delay = parameters[2]
    const deferMillis = delay === undefined ? 0 : deferParameter("HPUB", delay, this.limits.maxReqTimeoutMillis)
    if (typeof deferMillis !== "number") return deferMillis
    this.hpubLine = { bytes: Buffer.from(this.buffer.subarray(this.position, body)), topic, deferMillis }
    return this.withHeaders(this.hpubLine, body)
  }

  /** Decodes the HPUB of this line whose headers start at `at`. */
  private withHeaders({ deferMillis, topic }: HpubLine, at: number): Decoded | undefined {
    const read = readHeadersAndBody(this.buffer, at, this.end, this.limits.maxMsgSize)
    if (typeof read === "number") {
      this.missing = read
      return this.cutOff("HPUB", "E_BAD_MESSAGE", "HPUB failed to read headers and body")
    }
    if (read._tag === "Malformed") return read
    this.position = read.end
    const { dedupKeyStart, headersStart } = read
    const { bytes, start } = this.bodies(headersStart, read.end, 0, 1, 0)
    const bodiesStart = start + read.start - headersStart
    const bodyBytes = read.end - read.start - 4
    const plain = { bytes, start: bodiesStart, gap: 0, count: 1, bodyBytes }
    if (bodiesStart === start) return { _tag: "HPUB", topic, bodies: plain, deferMillis }
    const headers = bytes.subarray(start, bodiesStart)
    const bodies = dedupKeyStart === undefined ? { ...plain, headers } : { ...plain, headers, dedupKeyStart }
    return { _tag: "HPUB", topic, bodies, deferMillis }
  }

  /**
   * The declared body size is only checked against the limits: as in NSQ, the count and the sizes of the messages determine the
   * length. Unlike in NSQ, their sum is limited too, because a false declared size would otherwise allow any amount of memory.
   */
  private mpub(topic: TopicName, at: number): Decoded | undefined {
    const { buffer, end, limits } = this
    const reject = (code: ErrorCode, text: string): Malformed => ({ ...malformed("MPUB", code, `MPUB ${text}`), topic })
    const wait = (code: ErrorCode, text: string) => this.ended ? reject(code, text) : undefined
    if (end - at < 4) return wait("E_BAD_BODY", "failed to read body size")
    const declared = buffer.readInt32BE(at)
    if (declared <= 0) return reject("E_BAD_BODY", `invalid body size ${declared}`)
    if (declared > limits.maxBodySize) return reject("E_BAD_BODY", `body too big ${declared} > ${limits.maxBodySize}`)
    if (end - at < 8) return wait("E_BAD_BODY", "failed to read message count")
    const count = buffer.readInt32BE(at + 4)
    if (count <= 0 || count > Math.floor((limits.maxBodySize - 4) / 5)) {
      return reject("E_BAD_BODY", `invalid message count ${count}`)
    }
    // Not exact if the declared size is wrong; the rest is then appended later.
    this.missing = Math.max(0, at + 4 + declared - end)
    const start = at + 8
    let walked = this.walkedCount
    let next = start + this.walkedBytes
    for (; walked < count; walked++) {
      if (end - next < 4) break
      const size = buffer.readInt32BE(next)
      if (size <= 0) return reject("E_BAD_MESSAGE", `invalid message(${walked}) body size ${size}`)
      if (size > limits.maxMsgSize) return reject("E_BAD_MESSAGE", `message too big ${size} > ${limits.maxMsgSize}`)
      const total = next + size - at
      if (total > limits.maxBodySize) return reject("E_BAD_BODY", `body too big ${total} > ${limits.maxBodySize}`)
      if (end - next - 4 < size) {
        this.walkedCount = walked
        this.walkedBytes = next - start
        return wait("E_BAD_MESSAGE", "failed to read message body")
      }
      next += 4 + size
    }
    if (walked < count) {
      this.walkedCount = walked
      this.walkedBytes = next - start
      return wait("E_BAD_MESSAGE", `failed to read message(${walked}) body size`)
    }
    this.walkedCount = 0
    this.walkedBytes = 0
    this.missing = 0
    this.position = next
    return { _tag: "MPUB", topic, bodies: this.bodies(start, next, 0, count, next - start - 4 * count), deferMillis: 0 }
  }

  private cutOff(command: string, code: ErrorCode, description: string): Malformed | undefined {
    return this.ended ? malformed(command, code, description) : undefined
  }
}
