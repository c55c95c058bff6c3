/** Properties of a request that only Node's request object has: the address of the client and the original target. */
import type { HttpServerRequest } from "effect/http"
import { IncomingMessage } from "node:http"
import { peerAddress } from "../net/Transport.ts"

type Request = HttpServerRequest.HttpServerRequest

/** Returns the IP address of the connection, ignoring headers of proxies; empty for a Unix socket. */
export const ip = ({ source }: Request): string =>
  source instanceof IncomingMessage ? source.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "" : ""

/** Returns `host:port` of the connection; `@` for a Unix socket. */
export const address = ({ source }: Request): string =>
  source instanceof IncomingMessage ? peerAddress(source.socket.remoteAddress, source.socket.remotePort) : "@"

/** Returns the original path and query, with the base path. */
export const target = ({ source, url }: Request): string => source instanceof IncomingMessage ? source.url ?? url : url

/** Closes the connection when the client closes its side, or after `patienceMillis` without progress. */
export const closeWhenGone = ({ source }: Request, patienceMillis: number): void => {
  if (!(source instanceof IncomingMessage)) return
  const { socket } = source
  socket.once("end", () => socket.destroy())
  socket.setTimeout(patienceMillis, () => socket.destroy())
}
