/**
 * Reads commands from the bytes of a connection: pure, synchronous and resumable at every byte. "Need more bytes" is a
 * value. One command at a time, so that the connection's state decides what is permitted next; pipelined PUBs of one topic
 * come out as one command. Nothing is allocated for a size before that size has been checked and its bytes have arrived.
 *
 * Hot path: FIN is read without looking for its newline, bodies are views of what arrived, and a run of PUBs with the same
 * command line parses that line once.
 */
import type { CommandName } from "./Command.ts"
import { commandNames } from "./Command.ts"
import { deferParameter, messageCommand, rdyCommand, subCommand, topicParameter } from "./CommandLine.ts"
import { type Decoded, type Malformed, malformed } from "./Decoded.ts"
import type { PublishedBodies } from "./MessageBatch.ts"
import type { TopicName } from "./Names.ts"
import type { ErrorCode, ProtocolError } from "./ProtocolError.ts"

/** The longest command line in bytes, its newline included. */
export const maxLineLength = 16384

/** What a decoder checks sizes and numbers against. */
export interface DecoderLimits {
  /** Bytes of one message body. */
  readonly maxMsgSize: number
  /** Bytes of the body of IDENTIFY, AUTH and MPUB. */
  readonly maxBodySize: number
  /** Bodies of IDENTIFY and AUTH, which are read before anything is known of the client. */
  readonly maxIdentifySize: number
  /** The longest DPUB delay in milliseconds. */
  readonly maxReqTimeoutMillis: number
  readonly maxRdyCount: number
}

/** Asked as soon as a command line is complete: why the connection's state does not permit this command, if so. */
export interface CommandGate {
  readonly refuse: (command: string) => ProtocolError | undefined
}

const newline = 10
const space = 32
/** A command in pieces beyond this size grows in a buffer that doubles, or many small pieces would be copied each time. */
const doublingAbove = 4 * 1024
/** A message may keep this many times its own bytes of its read buffer alive; beyond that it is copied. */
const retentionFactor = 4

const known = new Set<string>(commandNames)
const isCommandName = (name: string): name is CommandName => known.has(name)

/** Whether any of the four bytes is a space, a newline or another control character (bit trick for "byte < 0x21"). */
const hasSeparator = (word: number): boolean => ((word - 0x21212121) & ~word & 0x80808080) !== 0

export class CommandDecoder {
  private readonly limits: DecoderLimits
  private buffer: Buffer = Buffer.alloc(0)
  private position = 0
  private end = 0
  /** What arrived after the bytes in `buffer` that complete a command, from `restPosition` on. */
  private rest: Buffer | undefined
  private restPosition = 0
  /** How many bytes the command at `position` lacks, as far as it is known; 0 when it is not. */
  private missing = 0
  private ended = false
  /** The last PUB line, newline included, and its topic. */
  private pubLine: Buffer | undefined
  private pubTopic: TopicName | undefined
  /** How far the MPUB at `position` has been walked, so that a body arriving in pieces is walked once. */
  private walkedCount = 0
  private walkedBytes = 0

  constructor(limits: DecoderLimits) {
    this.limits = limits
  }

  /** Bytes received and not yet part of a command. */
  get buffered(): number {
    return this.end - this.position + (this.rest === undefined ? 0 : this.rest.length - this.restPosition)
  }

  /**
   * Adds what arrived. The decoder owns `chunk` from now on; bodies are views of it. A command that is cut in two is put
   * together in memory of its own, and what follows it is left where it is.
   */
  feed(chunk: Buffer): void {
    if (this.rest !== undefined) this.append(this.takeRest())
    const left = this.end - this.position
    if (left === 0) {
      this.buffer = chunk
      this.position = 0
      this.end = chunk.length
    } else if (this.missing > 0 && this.missing < chunk.length) {
      this.rest = chunk
      this.restPosition = this.missing
      this.append(chunk.subarray(0, this.missing))
    } else {
      this.append(chunk)
    }
  }

  private takeRest(): Buffer {
    const rest = this.rest?.subarray(this.restPosition) ?? this.buffer.subarray(0, 0)
    this.rest = undefined
    return rest
  }

  /** Adds bytes to those at `position`, in a buffer that grows with what arrives. */
  private append(bytes: Buffer): void {
    const left = this.end - this.position
    const size = left + bytes.length
    if (this.end + bytes.length > this.buffer.length) {
      // As large as the command will be where that is known: its messages keep the whole buffer alive.
      const whole = this.missing > 0 ? left + this.missing : Infinity
      const room = size > doublingAbove ? Math.min(2 * size, Math.max(size, whole)) : size
      const grown = Buffer.allocUnsafeSlow(room)
      this.buffer.copy(grown, 0, this.position, this.end)
      this.buffer = grown
      this.position = 0
      this.end = left
    }
    bytes.copy(this.buffer, this.end)
    this.end += bytes.length
    this.missing = 0
  }

  /** Goes on with what was left where it arrived; false when there is nothing. */
  private refill(): boolean {
    const { rest } = this
    if (rest === undefined) return false
    if (this.position === this.end) {
      this.buffer = rest
      this.position = this.restPosition
      this.end = rest.length
      this.rest = undefined
    } else {
      this.append(this.takeRest())
    }
    return true
  }

  /** No more bytes will come: what is cut off is from now on an error instead of a wait. */
  finish(): void {
    this.ended = true
  }

  /** The next command, `undefined` while bytes are missing. After `Malformed` or `Overlong` nothing more may be asked. */
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
    const lineEnd = this.findNewline()
    if (lineEnd < 0) return end - position >= maxLineLength ? { _tag: "Overlong" } : undefined
    return this.line(lineEnd, gate)
  }

  /** `FIN <16 bytes>\n`, the most frequent command by far. */
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

  /** The size-prefixed body of IDENTIFY and AUTH; its bytes are consumed. */
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

  /** Checks the size at `at`; the size when the whole body has arrived. */
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

  /** One PUB whose body starts at `at`, and all that follow it at once with the same line. */
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
    const deferMillis = deferParameter(parameters[2] ?? "", this.limits.maxReqTimeoutMillis)
    if (typeof deferMillis !== "number") return deferMillis
    const size = this.messageSize("DPUB", at)
    if (typeof size !== "number") return size
    this.position = at + 4 + size
    return { _tag: "DPUB", topic, bodies: this.bodies(at, this.position, 0, 1, size), deferMillis }
  }

  /**
   * The declared body size is checked against the limits only: count and sizes inside are what counts, as in NSQ. Unlike in
   * NSQ their sum is held to the limit too, or a small lie would be a way to any amount of memory.
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
    // Wrong where the declared size is; then the rest is simply added later.
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

  /** The bodies as a view of the buffer, or as a copy where a few bytes would keep a large buffer alive. */
  private bodies(start: number, end: number, gap: number, count: number, bodyBytes: number): PublishedBodies {
    if ((end - start) * retentionFactor >= this.buffer.length) {
      return { bytes: this.buffer, start, gap, count, bodyBytes }
    }
    return { bytes: Buffer.from(this.buffer.subarray(start, end)), start: 0, gap, count, bodyBytes }
  }

  private cutOff(command: string, code: ErrorCode, description: string): Malformed | undefined {
    return this.ended ? malformed(command, code, description) : undefined
  }
}
