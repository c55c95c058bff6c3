/**
 * Limits the connections of an HTTP listener. A connection beyond the limit gets a 503 for its first request, if it sends it in
 * time, and is closed.
 */
import { Effect } from "effect"
import type { IncomingMessage, Server } from "node:http"
import type { Socket } from "node:net"
import * as HttpResponse from "./HttpResponse.ts"

/** Connections beyond the limit that may wait for their refusal at a time. */
const maxRefusing = 64
/** The limit for sending the request on such a connection, in milliseconds. */
const patienceMillis = 2000

const refusal = HttpResponse.plain(503, "503 Service Unavailable: too many connections (--max-http-connections)\n")

/** Returns the refusal of a request on a connection beyond the limit; otherwise undefined. */
export type ConnectionLimit = (incoming: Pick<IncomingMessage, "socket">) => HttpResponse.HttpResponse | undefined

/**
 * Applies the limit `max`, 0 for no limit, to `server`, whose open connections are `sockets`. With `tls` a connection beyond the
 * limit is closed without a response, because the handshake would be the largest cost.
 */
export const apply = (
  server: Server,
  sockets: ReadonlySet<Socket>,
  max: number,
  tls: boolean,
  log: (effect: Effect.Effect<void>) => void
): ConnectionLimit => {
  if (max <= 0) return () => undefined
  const refused = new Set<Socket>()
  let isLogged = false
  server.on("connection", (socket: Socket) => {
    if (sockets.size - refused.size <= max) {
      if (sockets.size <= max / 2) isLogged = false
      return
    }
    if (!isLogged) log(Effect.logWarning(`HTTP: refusing connections beyond ${max} (--max-http-connections)`))
    isLogged = true
    if (tls || refused.size >= maxRefusing) {
      socket.destroy()
      return
    }
    refused.add(socket)
    const late = setTimeout(() => socket.destroy(), patienceMillis)
    socket.once("close", () => {
      clearTimeout(late)
      refused.delete(socket)
    })
  })
  return ({ socket }) => refused.size > 0 && refused.has(socket) ? refusal : undefined
}
