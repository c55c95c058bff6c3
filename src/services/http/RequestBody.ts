/**
 * Receives request bodies up to a limit, and responds to requests without reading their body.
 *
 * Hot path: callbacks only, one buffer if the body arrives in one piece.
 */
import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { HttpResponse } from "./HttpResponse.ts"

/** The longest time that a refused client may continue to send before its connection closes. */
const linger = "500 millis"

const nothing = Buffer.alloc(0)

/** Whether the request announces a body of more than `limit` bytes. A chunked body has no announced length. */
export const announcesMore = (incoming: IncomingMessage, limit: number): boolean =>
  Number(incoming.headers["content-length"] ?? 0) > limit

/**
 * A body that arrives in pieces. They are copied to one buffer that grows with them, up to the announced length: even tiny pieces
 * take no more memory than their bytes, and no work is left for the end.
 */
class Gathered {
  private readonly announced: number
  private bytes: Buffer = nothing
  private size = 0

  constructor(announced: number) {
    this.announced = announced
  }

  add(chunk: Buffer): void {
    const size = this.size + chunk.length
    if (this.size === 0) {
      this.bytes = chunk
    } else {
      if (size > this.bytes.length) this.grow(size)
      chunk.copy(this.bytes, this.size)
    }
    this.size = size
  }

  get body(): Buffer {
    return this.size === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.size)
  }

  private grow(size: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(size, Math.min(2 * size, this.announced)))
    this.bytes.copy(grown, 0, 0, this.size)
    this.bytes = grown
  }
}

/**
 * Calls `done` once: with the body, or with `undefined` as soon as it exceeds `limit` bytes; the rest is then discarded.
 * If the client disconnects before the end, `done` is not called.
 */
export const collect = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  limit: number,
  done: (body: Buffer | undefined) => void
): void => {
  let gathered: Gathered | undefined = new Gathered(Number(incoming.headers["content-length"] ?? limit))
  let size = 0
  if (incoming.headers.expect !== undefined) outgoing.writeContinue()
  incoming.on("data", (chunk: Buffer) => {
    if (gathered === undefined) return
    size += chunk.length
    if (size <= limit) return gathered.add(chunk)
    gathered = undefined
    done(undefined)
  })
  incoming.on("end", () => {
    if (gathered !== undefined) done(gathered.body)
  })
}

/** Returns the body, or `undefined` if it exceeds `limit` bytes; interrupted if the client disconnects. */
export const read = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  limit: number
): Effect.Effect<Buffer | undefined> =>
  Effect.callback((resume) => {
    if (announcesMore(incoming, limit)) return resume(Effect.undefined)
    outgoing.once("close", () => resume(Effect.interrupt))
    collect(incoming, outgoing, limit, (body) => resume(Effect.succeed(body)))
  })

/**
 * Responds to a request before its body has arrived, and ends the connection. Closing at once could reset the connection while
 * the client is still sending, and lose the response: so the rest is discarded for up to half a second.
 */
export const respondUnread = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: HttpResponse
): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    outgoing.writeHead(response.status, [...response.headers, "Connection", "close"])
    outgoing.write(response.body)
    const done = (): void => resume(Effect.void)
    incoming.once("end", done)
    incoming.once("close", done)
    incoming.resume()
  }).pipe(
    Effect.timeoutOption(linger),
    Effect.ensuring(Effect.sync(() => void outgoing.end()))
  )
