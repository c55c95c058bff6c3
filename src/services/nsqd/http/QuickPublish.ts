/**
 * Publishing requests without Node's HTTP parser. A `POST /pub` that arrives whole in one read, with a header that holds
 * nothing but what plain HTTP clients send, is published and answered on the socket itself. At the first request that is
 * anything else the connection goes to `node:http`, with the bytes read so far, and stays there.
 *
 * Hot path: one read, one write and no stream events per request. Measured with 16 keep-alive connections: a handler of
 * `node:http` that does nothing costs more than all of this.
 *
 * What is accepted is narrow on purpose: every header name is on a list, Host and Content-Length occur once, and nothing in
 * the header may be read in two ways. A header that a browser, a proxy or a tracing client adds leads to `node:http`.
 */
import { Clock, Effect } from "effect"
import { STATUS_CODES } from "node:http"
import * as HttpResponse from "../../http/HttpResponse.ts"
import type { OnConnection } from "../../http/HttpServer.ts"
import type { PublishTarget } from "./Publish.ts"

/** Publishes a body; the response, or the Effect of it when publishing has to wait. */
export type PublishBody = (
  target: PublishTarget,
  body: Buffer
) => HttpResponse.HttpResponse | Effect.Effect<HttpResponse.HttpResponse>

export interface QuickPublishSettings {
  /** What a request URI asks to publish; `undefined` for everything that is not for this module. */
  readonly target: (uri: string) => PublishTarget | undefined
  readonly publish: PublishBody
  /** Larger bodies are left to `node:http`, in bytes. */
  readonly maxBodySize: number
  /** Connections are closed after this time without a request, in milliseconds; clients are told, in seconds. */
  readonly idleMillis: number
  /** Runs what has to wait; it is never interrupted while the server is up. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** A header that was accepted, and where its request goes. */
interface Head {
  readonly bytes: Buffer
  readonly target: PublishTarget
  readonly bodySize: number
}

const start = Buffer.from("POST /pub?", "latin1")
const headEnd = Buffer.from("\r\n\r\n", "latin1")
/** Longer headers are unusual enough for `node:http`. */
const maxHeadBytes = 1024

/** Headers that change nothing about how a publishing request is carried out. Their values are not looked at. */
const ignored = new Set(["accept", "accept-encoding", "content-type", "user-agent"])
const requestLine = /^POST (\/[\x21-\x7e]*) HTTP\/1\.1$/
const headerLine = /^([A-Za-z-]+):[ \t]*([\x20-\x7e\t]*)$/

/** Browsers are subject to further checks, which are made on the other way. */
const isBrowser = (userAgent: string): boolean => userAgent.startsWith("Mozilla/")

const startsWith = (bytes: Buffer, prefix: Buffer): boolean =>
  bytes.length >= prefix.length && prefix.compare(bytes, 0, prefix.length) === 0

/** Reads a request's header; `undefined` when it is not entirely usual. */
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
  if (found === undefined || found.kind !== "pub" || found.warning !== undefined) return undefined
  return { bytes: Buffer.from(bytes), target: found, bodySize }
}

/** Responses as they go out. The one for success is made once a second, when its date changes. */
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

/** What takes new connections. */
export const make = Effect.fnUntraced(function*(settings: QuickPublishSettings) {
  const encode = makeEncoder(yield* Clock.Clock, settings.idleMillis)

  const onConnection: OnConnection = (socket, toNode) => {
    /** Publishers send the same header again and again. */
    let usual: Head | undefined
    /** While it waits for a response it does not read. */
    let state: "reading" | "waiting" | "left" = "reading"
    /** The client has closed its side. */
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

    /** Takes requests until the bytes end. While a response has to wait nothing more is read. */
    const take = (bytes: Buffer): void => {
      while (bytes.length > 0) {
        const head = headOf(bytes)
        const end = head === undefined ? 0 : head.bytes.length + head.bodySize
        if (head === undefined || end > bytes.length) return leave(bytes)
        const response = settings.publish(head.target, bytes.subarray(head.bytes.length, end))
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
    // The close that follows is all there is to an error.
    const onError = (): void => {}
    const onTimeout = (): void => void socket.destroy()
    socket.setTimeout(settings.idleMillis)
    socket.on("data", onData).on("end", onEnd).on("error", onError).on("timeout", onTimeout)
  }
  return onConnection
})
