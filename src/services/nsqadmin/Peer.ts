/** What only Node's own request knows: who sent it, and its line as it was sent. */
import type { HttpServerRequest } from "effect/http"
import { IncomingMessage } from "node:http"
import { peerAddress } from "../net/Transport.ts"

type Request = HttpServerRequest.HttpServerRequest

/** IP address of the sender, whatever proxies say; empty where there is none. */
export const ip = ({ source }: Request): string =>
  source instanceof IncomingMessage ? source.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "" : ""

/** `host:port` of the sender. */
export const address = ({ source }: Request): string =>
  source instanceof IncomingMessage ? peerAddress(source.socket.remoteAddress, source.socket.remotePort) : "@"

/** Path and query as they were sent, the base path included. */
export const target = ({ source, url }: Request): string => source instanceof IncomingMessage ? source.url ?? url : url

/** Closes the connection when the sender closes its side, or takes nothing for so long although something waits for it. */
export const closeWhenGone = ({ source }: Request, patienceMillis: number): void => {
  if (!(source instanceof IncomingMessage)) return
  const { socket } = source
  socket.once("end", () => socket.destroy())
  socket.setTimeout(patienceMillis, () => socket.destroy())
}
