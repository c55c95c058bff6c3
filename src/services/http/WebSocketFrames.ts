/**
 * The frames of WebSockets (RFC 6455) as a server needs them: text messages of bounded size from the client, without extensions. Pure.
 */
import { isUtf8 } from "node:buffer"

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Why a connection ends. */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  invalidText: 1007,
  tooBig: 1009
} as const

/** What a client has sent. */
export type Received =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Ping"; readonly payload: Buffer }
  | { readonly _tag: "Pong" }
  /** The client ends the connection, or has to be closed with this code; nothing follows. */
  | { readonly _tag: "Close"; readonly code: number }

/** The longest payload of a control frame. */
const maxControlBytes = 125

const encode = (opcode: number, payload: Buffer): Buffer => {
  const { length } = payload
  const header = length <= maxControlBytes
    ? Buffer.from([0x80 | opcode, length])
    : length < 65_536
    ? Buffer.from([0x80 | opcode, 126, length >> 8, length & 0xff])
    : Buffer.alloc(10)
  if (length >= 65_536) {
    header[0] = 0x80 | opcode
    header[1] = 127
    header.writeUIntBE(length, 4, 6)
  }
  return Buffer.concat([header, payload])
}

/** Encodes a text message. */
export const text = (message: string): Buffer => encode(opcodes.text, Buffer.from(message))

/** A ping without a payload. */
export const ping: Buffer = encode(opcodes.ping, Buffer.alloc(0))

/** Encodes the response to a ping. */
export const pong = (payload: Buffer): Buffer => encode(opcodes.pong, payload)

/** Encodes the end of the connection. */
export const close = (code: number): Buffer => {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return encode(opcodes.close, payload)
}

interface Head {
  readonly isLast: boolean
  readonly opcode: number
  /** Where the mask begins. */
  readonly mask: number
  readonly size: number
}

/** Codes that a client may send. */
const isSendable = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999)

/** Decodes what a client sends. It keeps one message of at most `maxBytes`, and at most one incomplete frame. */
export class FrameDecoder {
  private readonly maxBytes: number
  private unread: Buffer = Buffer.alloc(0)
  /** The parts of a text message. */
  private parts: Array<Buffer> | undefined
  private isClosed = false

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** Decodes the next bytes. Nothing is decoded after a close. */
  push(bytes: Buffer): ReadonlyArray<Received> {
    const received: Array<Received> = []
    if (this.isClosed) return received
    let left = this.unread.length === 0 ? bytes : Buffer.concat([this.unread, bytes])
    while (!this.isClosed) {
      const head = this.headOf(left)
      if (head === undefined) break
      if (typeof head === "number") {
        received.push(this.end(head))
        break
      }
      const end = head.mask + 4 + head.size
      if (left.length < end) break
      const message = this.take(head, unmask(left, head.mask, end))
      if (message !== undefined) received.push(message)
      left = left.subarray(end)
    }
    // A copy: the rest would keep the whole chunk alive.
    this.unread = this.isClosed ? Buffer.alloc(0) : Buffer.from(left)
    return received
  }

  private end(code: number): Received {
    this.isClosed = true
    return { _tag: "Close", code }
  }

  /** The head of a frame; the code of its error; `undefined` if it is incomplete. */
  private headOf(bytes: Buffer): Head | number | undefined {
    if (bytes.length < 2) return undefined
    const first = bytes[0]!
    const second = bytes[1]!
    const opcode = first & 0x0f
    const isLast = (first & 0x80) !== 0
    const isControl = opcode >= opcodes.close
    const short = second & 0x7f
    // Without extensions the other bits are 0, and a client masks its frames.
    if ((first & 0x70) !== 0 || (second & 0x80) === 0) return closeCodes.protocolError
    if (opcode > opcodes.pong || (opcode > opcodes.binary && !isControl)) return closeCodes.protocolError
    if (isControl && (!isLast || short > maxControlBytes)) return closeCodes.protocolError
    if (opcode === opcodes.binary) return closeCodes.unsupportedData
    if (!isControl && (opcode === opcodes.text) === (this.parts !== undefined)) return closeCodes.protocolError
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0
    if (bytes.length < 2 + extended) return undefined
    const size = extended === 0 ? short : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    const before = this.parts?.reduce((sum, { length }) => sum + length, 0) ?? 0
    if (!isControl && before + size > this.maxBytes) return closeCodes.tooBig
    return { isLast, opcode, mask: 2 + extended, size }
  }

  private take({ isLast, opcode }: Head, payload: Buffer): Received | undefined {
    switch (opcode) {
      case opcodes.ping:
        return { _tag: "Ping", payload }
      case opcodes.pong:
        return { _tag: "Pong" }
      case opcodes.close:
        return this.end(codeIn(payload))
      default: {
        const parts = [...this.parts ?? [], payload]
        this.parts = isLast ? undefined : parts
        if (!isLast) return undefined
        const whole = Buffer.concat(parts)
        return isUtf8(whole) ? { _tag: "Text", text: whole.toString() } : this.end(closeCodes.invalidText)
      }
    }
  }
}

/** The code with which a close is returned. */
const codeIn = (payload: Buffer): number => {
  if (payload.length === 0) return closeCodes.normal
  const code = payload.length === 1 ? 0 : payload.readUInt16BE(0)
  if (!isSendable(code)) return closeCodes.protocolError
  return isUtf8(payload.subarray(2)) ? code : closeCodes.invalidText
}

const unmask = (bytes: Buffer, mask: number, end: number): Buffer => {
  const payload = Buffer.from(bytes.subarray(mask + 4, end))
  for (let i = 0; i < payload.length; i++) payload[i] = payload[i]! ^ bytes[mask + (i & 3)]!
  return payload
}
