/**
 * Publishing requests without Node's HTTP parser. A `POST /pub` that arrives in one read, and whose header has only
 * what plain HTTP clients send, is published and responded to on the socket itself. At the first other request the
 * connection is handed over to `node:http` with the bytes read so far, for good.
 *
 * Hot path: one read, one write and no stream events per request. With 16 keep-alive connections, even an empty
 * handler of `node:http` costs more than all of this.
 *
 * The accepted form is narrow on purpose: every header name is on a list, Host and Content-Length occur once, and
 * nothing in the header is ambiguous. A header added by a browser, a proxy or a tracing client leads to `node:http`.
 */
import { Clock, Effect } from "effect"
import { STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import * as HttpResponse from "../../http/HttpResponse.ts"
import type { OnConnection } from "../../http/HttpServer.ts"
import type { PublishTarget } from "./Publish.ts"

/** Publishes a body. Returns the response, or an Effect of it if publishing has to wait. */
export type PublishBody = (
  target: PublishTarget,
  body: Buffer,
  socket: Socket
) => HttpResponse.HttpResponse | Effect.Effect<HttpResponse.HttpResponse>

export interface QuickPublishSettings {
  /** Decodes a request URI; `undefined` for everything that this module does not handle. */
  readonly target: (uri: string) => PublishTarget | undefined
  readonly publish: PublishBody
  /** In bytes. Larger bodies are left to `node:http`. */
  readonly maxBodySize: number
  /** In ms. A connection without a request for this long is closed; the responses announce it in seconds. */
  readonly idleMillis: number
  /** Forks an Effect that is not interrupted while the server runs. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** An accepted header and its target. */
interface Head {
  readonly bytes: Buffer
  readonly target: PublishTarget
  readonly bodySize: number
}

const start = Buffer.from("POST /pub?", "latin1")
const headEnd = Buffer.from("\r\n\r\n", "latin1")
/** Longer headers are left to `node:http`. */
const maxHeadBytes = 1024

/** Headers without effect on a publishing request. Their values are not read. */
const ignored = new Set(["accept", "accept-encoding", "content-type", "user-agent"])
const requestLine = /^POST (\/[\x21-\x7e]*) HTTP\/1\.1$/
const headerLine = /^([A-Za-z-]+):[ \t]*([\x20-\x7e\t]*)$/

/** Requests from browsers need further checks, which `node:http`'s handler makes. */
const isBrowser = (userAgent: string): boolean => userAgent.startsWith("Mozilla/")

const startsWith = (bytes: Buffer, prefix: Buffer): boolean =>
  bytes.length >= prefix.length && prefix.compare(bytes, 0, prefix.length) === 0

/** Parses a request header; `undefined` if it is not of the accepted form. */
const parseHead = (
  bytes: Buffer,
  { maxBodySize, target }: QuickPublishSettings
): Head | undefined => {
  const [first = "", ...lines] = bytes.toString("latin1", 0, bytes.length - headEnd.length).split("\r\n")
  const uri = requestLine.exec(first)?.[1]
  if (uri === undefined) return undefined
  let hosts = 0
  let bodySize: number | undefined
  for (const line of lines) {
    const [, name = "", value = ""] = headerLine.exec(line) ?? []
    const key = name.toLowerCase()
    if (key === "host") {
      hosts++
    } else if (key === "content-length") {
      if (bodySize !== undefined || !/^[0-9]{1,9}$/.test(value)) return undefined
      bodySize = Number(value)
    } else if (!ignored.has(key) || (key === "user-agent" && isBrowser(value))) {
      return undefined
    }
  }
  if (hosts !== 1 || bodySize === undefined || bodySize === 0 || bodySize > maxBodySize) return undefined
  const found = target(uri)
  if (found === undefined || found.kind !== "pub" || found.warning !== undefined || found.dedupKey !== undefined) {
    return undefined
  }
  return { bytes: Buffer.from(bytes), target: found, bodySize }
}

/** Encodes responses. The one for success is cached for a second, because it contains the date. */
const makeEncoder = (clock: Clock.Clock, idleMillis: number): (response: HttpResponse.HttpResponse) => Buffer => {
  const keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(idleMillis / 1000)}`
  const encode = (response: HttpResponse.HttpResponse, second: number): Buffer => {
    const { body, headers, status } = response
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
    for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
    head += `Date: ${new Date(second * 1000).toUTCString()}\r\n${keepAlive}\r\n\r\n`
    return Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(body)])
  }
  let encodedAt = -1
  let ok: Buffer = Buffer.alloc(0)
  return (response) => {
    const second = Math.floor(clock.currentTimeMillisUnsafe() / 1000)
    if (response !== HttpResponse.ok) return encode(response, second)
    if (second !== encodedAt) {
      encodedAt = second
      ok = encode(response, second)
    }
    return ok
  }
}

/** Returns the handler for new connections. */
export const make = Effect.fnUntraced(function*(settings: QuickPublishSettings) {
  const encode = makeEncoder(yield* Clock.Clock, settings.idleMillis)

  const onConnection: OnConnection = (socket, toNode) => {
    /** The last accepted header: publishers repeat it. */
    let usual: Head | undefined
    /** While a response is waited for, nothing is read. */
    let state: "reading" | "waiting" | "left" = "reading"
    /** Whether the client has closed its side. */
    let ended = false

    const headOf = (bytes: Buffer): Head | undefined => {
      if (usual !== undefined && startsWith(bytes, usual.bytes)) return usual
      if (!startsWith(bytes, start)) return undefined
      const end = bytes.subarray(0, maxHeadBytes).indexOf(headEnd)
      if (end < 0) return undefined
      const head = parseHead(bytes.subarray(0, end + headEnd.length), settings)
      if (head !== undefined) usual = head
      return head
    }

    const leave = (unread: Buffer): void => {
      state = "left"
      socket.pause().off("data", onData).off("end", onEnd).off("error", onError).off("timeout", onTimeout)
      toNode(unread)
    }

    /** Handles requests until the bytes end. While a response is waited for, nothing more is read. */
    const take = (bytes: Buffer): void => {
      while (bytes.length > 0) {
        const head = headOf(bytes)
        const end = head === undefined ? 0 : head.bytes.length + head.bodySize
        if (head === undefined || end > bytes.length) return leave(bytes)
        const response = settings.publish(head.target, bytes.subarray(head.bytes.length, end), socket)
        const rest = bytes.subarray(end)
        if (Effect.isEffect(response)) return wait(response, rest)
        socket.write(encode(response))
        bytes = rest
      }
      if (socket.writableNeedDrain) socket.pause().once("drain", () => socket.resume())
    }

    const wait = (response: Effect.Effect<HttpResponse.HttpResponse>, rest: Buffer): void => {
      state = "waiting"
      socket.pause()
      settings.fork(Effect.map(response, (done) => {
        state = "reading"
        socket.write(encode(done))
        socket.resume()
        take(rest)
        endWhenDone()
      }))
    }

    const endWhenDone = (): void => {
      if (ended && state === "reading") socket.end()
    }

    const onData = (chunk: Buffer): void => take(chunk)
    const onEnd = (): void => {
      ended = true
      endWhenDone()
    }
    // The close event that follows an error is sufficient.
    const onError = (): void => {}
    const onTimeout = (): void => void socket.destroy()
    socket.setTimeout(settings.idleMillis)
    socket.on("data", onData).on("end", onEnd).on("error", onError).on("timeout", onTimeout)
  }
  return onConnection
})
