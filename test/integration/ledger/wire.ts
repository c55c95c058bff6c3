/**
 * The wire protocol according to its documentation, over a raw socket. It shares no code with the product, so that a
 * defect there cannot hide itself here.
 */
import * as Http from "node:http"
import * as Net from "node:net"

export const responseFrame = 0
export const errorFrame = 1
export const messageFrame = 2
/** Only clients that have negotiated headers get such frames. */
export const messageWithHeadersFrame = 3

/** A message of a frame. The body is a view of the received bytes. */
export interface Delivery {
  readonly attempts: number
  readonly id: string
  readonly body: Buffer
  /** Present if the message has headers, and the client reads them. */
  readonly headers?: Headers
}

export type Headers = Readonly<Record<string, string>>

export const parseMessage = (data: Buffer): Delivery => ({
  attempts: data.readUInt16BE(8),
  id: data.toString("latin1", 10, 26),
  body: data.subarray(26)
})

/** A message whose headers precede its body. */
const parseWithHeaders = (data: Buffer): Delivery => {
  const { attempts, body: rest, id } = parseMessage(data)
  const end = 4 + rest.readInt32BE(0)
  const lines = rest.toString("utf8", 4, end).split("\n").filter((line) => line !== "")
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon), line.slice(colon + 1)]
  }))
  return { attempts, id, body: rest.subarray(end), headers }
}

const sized = (body: Uint8Array): Buffer => {
  const out = Buffer.allocUnsafe(4 + body.length)
  out.writeInt32BE(body.length)
  out.set(body, 4)
  return out
}

const count = (value: number): Buffer => {
  const out = Buffer.allocUnsafe(4)
  out.writeInt32BE(value)
  return out
}

export const pub = (topic: string, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`PUB ${topic}\n`), sized(body)])

export const dpub = (topic: string, deferMillis: number, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`DPUB ${topic} ${deferMillis}\n`), sized(body)])

export const hpub = (topic: string, headers: Headers, body: Uint8Array): Buffer => {
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
  return Buffer.concat([Buffer.from(`HPUB ${topic}\n`), sized(Buffer.from(lines.join(""))), sized(body)])
}

export const mpubBody = (bodies: ReadonlyArray<Uint8Array>): Buffer =>
  Buffer.concat([count(bodies.length), ...bodies.map(sized)])

export const mpub = (topic: string, bodies: ReadonlyArray<Uint8Array>): Buffer =>
  Buffer.concat([Buffer.from(`MPUB ${topic}\n`), sized(mpubBody(bodies))])

export const identify = (settings: object): Buffer =>
  Buffer.concat([Buffer.from("IDENTIFY\n"), sized(Buffer.from(JSON.stringify(settings)))])

/** An event of a connection. `closed` comes once, last. */
export interface Handlers {
  readonly message?: (delivery: Delivery) => void
  readonly response?: (text: string) => void
  readonly error?: (text: string) => void
  readonly closed?: () => void
}

/** A connection that has sent its magic. It responds to heartbeats and does not report them. */
export class Wire {
  readonly socket: Net.Socket
  private readonly handlers: Handlers
  private pending: Buffer = Buffer.alloc(0)

  private constructor(socket: Net.Socket, handlers: Handlers) {
    this.socket = socket
    this.handlers = handlers
    socket.on("data", (chunk: Buffer) => this.receive(chunk))
    socket.once("close", () => this.handlers.closed?.())
    socket.write("  V2")
  }

  /** Rejects if no daemon listens. */
  static connect(port: number, handlers: Handlers): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = Net.connect({ host: "127.0.0.1", port, noDelay: true })
      socket.once("error", reject)
      socket.once("connect", () => {
        socket.off("error", reject)
        // A connection that a kill resets emits `close`, which is reported.
        socket.on("error", () => {})
        resolve(new Wire(socket, handlers))
      })
    })
  }

  send(bytes: Uint8Array | string): void {
    if (!this.socket.destroyed) this.socket.write(bytes)
  }

  close(): void {
    this.socket.destroy()
  }

  private receive(chunk: Buffer): void {
    let bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const end = 4 + bytes.readInt32BE(0)
      this.frame(bytes.readInt32BE(4), bytes.subarray(8, end))
      bytes = bytes.subarray(end)
    }
    this.pending = bytes
  }

  private frame(type: number, data: Buffer): void {
    if (type === messageFrame) return this.handlers.message?.(parseMessage(data))
    if (type === messageWithHeadersFrame) return this.handlers.message?.(parseWithHeaders(data))
    const text = data.toString("latin1")
    if (type === errorFrame) return this.handlers.error?.(text)
    if (text === "_heartbeat_") return this.send("NOP\n")
    this.handlers.response?.(text)
  }
}

/** A connection on which one command at a time waits for its reply, a response or an error. */
export class Requests {
  private readonly wire: Wire
  private readonly waiting: Array<(text: string) => void>

  private constructor(wire: Wire, waiting: Array<(text: string) => void>) {
    this.wire = wire
    this.waiting = waiting
  }

  static async connect(port: number): Promise<Requests> {
    const waiting: Array<(text: string) => void> = []
    const reply = (text: string): void => waiting.shift()?.(text)
    const closed = (): void => {
      for (const resolve of waiting.splice(0)) resolve("closed")
    }
    return new Requests(await Wire.connect(port, { response: reply, error: reply, closed }), waiting)
  }

  /** The reply, or `closed` if the connection ends before it. */
  ask(command: Uint8Array | string): Promise<string> {
    return new Promise((resolve) => {
      if (this.wire.socket.destroyed) return resolve("closed")
      this.waiting.push(resolve)
      this.wire.send(command)
    })
  }

  close(): void {
    this.wire.close()
  }
}

export interface HttpReply {
  readonly status: number
  readonly body: string
}

/** Sends one HTTP request on a new connection: a POST if there is a body, otherwise a GET. Rejects if the connection breaks. */
export const http = (
  port: number,
  path: string,
  body?: Uint8Array | string,
  agent?: Http.Agent,
  headers: Headers = {},
  method = body === undefined ? "GET" : "POST"
): Promise<HttpReply> =>
  new Promise((resolve, reject) => {
    const request = Http.request(
      { host: "127.0.0.1", port, path, method, headers, agent: agent ?? false },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (chunk: string) => void (text += chunk))
        response.once("error", reject)
        response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text }))
      }
    )
    request.once("error", reject)
    request.end(body)
  })
