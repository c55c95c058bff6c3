/**
 * Bounds the connections of an HTTP listener. One beyond the limit is told so when it sends its first request, if there is time
 * for it, and is closed in any case.
 */
import { Effect } from "effect"
import type { IncomingMessage, Server } from "node:http"
import type { Socket } from "node:net"
import * as HttpResponse from "./HttpResponse.ts"

/** Connections beyond the limit that may wait for their refusal at a time. */
const maxRefusing = 64
/** How long each may take to send its request, in milliseconds. */
const patienceMillis = 2000

const refusal = HttpResponse.plain(503, "503 Service Unavailable: too many connections (--max-http-connections)\n")

/** Whether the request came by a connection beyond the limit, and its refusal then. */
export type ConnectionLimit = (incoming: Pick<IncomingMessage, "socket">) => HttpResponse.HttpResponse | undefined

/**
 * Applies the limit to `server`, whose open connections are `sockets`; 0 is for no limit. With `tls` a connection beyond it is
 * closed without a word, because a handshake is what it would cost most.
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
  let isTold = false
  server.on("connection", (socket: Socket) => {
    if (sockets.size - refused.size <= max) {
      if (sockets.size <= max / 2) isTold = false
      return
    }
    if (!isTold) log(Effect.logWarning(`HTTP: refusing connections beyond ${max} (--max-http-connections)`))
    isTold = true
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
