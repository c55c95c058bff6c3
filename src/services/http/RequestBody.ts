/**
 * Receives request bodies, never more than a limit of them, and answers requests whose body is not wanted. What a body means
 * is not its business.
 *
 * Hot path: callbacks only, one buffer when the body came in one piece.
 */
import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { HttpResponse } from "./HttpResponse.ts"

/** How long a client that was refused may go on sending before it is cut off. */
const linger = "500 millis"

const nothing = Buffer.alloc(0)

/** Whether the request announces more than `limit` bytes. A body in chunks announces nothing. */
export const announcesMore = (incoming: IncomingMessage, limit: number): boolean =>
  Number(incoming.headers["content-length"] ?? 0) > limit

/**
 * A body that arrives in pieces. They are copied into one buffer that grows with them, up to the length that was announced:
 * however small the pieces are they take no more memory than their bytes, and nothing is left to be done at the end.
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
 * Calls `done` once: with the body, or with `undefined` as soon as it exceeds `limit` bytes; what follows then is discarded.
 * When the client goes away in the middle, `done` is not called.
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

/** The body as an Effect, `undefined` when it exceeds `limit` bytes; interrupted when the client goes away. */
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
 * Answers a request before its body has arrived, and ends the connection. Closing at once could reset the connection while
 * the client is still sending, and the answer would be lost: so the rest is discarded for a moment.
 */
export const answerUnread = (
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
