/**
 * Upgrades of HTTP connections to WebSockets: which requests want one, and which of them are possible. Requests with another `Upgrade`,
 * such as `h2c` of Java's client, are ordinary ones. The handler of the request accepts the upgrade.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { failure, type HttpResponse, invalidRequest } from "./HttpResponse.ts"

/** Responses whose connection may be taken over. */
const offered = new WeakSet<ServerResponse>()

/** Offers the connection of a response to its handler. */
export const offer = (outgoing: ServerResponse): void => void offered.add(outgoing)

/** What ends connections that were taken over, in the order of their protocol. */
const ends = new WeakMap<Socket, () => void>()

/** Takes a connection over. `end` is called before the server closes it. */
export const takeOver = (socket: Socket, end: () => void): void => void ends.set(socket, end)

/** Ends the protocol of a connection that was taken over; without effect on others. */
export const end = (socket: Socket): void => ends.get(socket)?.()

/** Whether a request asks for a WebSocket. */
export const isWanted = ({ headers, method }: IncomingMessage): boolean =>
  method === "GET" && headers.upgrade?.toLowerCase() === "websocket"

const keyPattern = /^[+/0-9A-Za-z]{22}==$/

/** Returns the refusal of an upgrade that `isWanted`; `undefined` if it is possible. */
export const refusalOf = (incoming: IncomingMessage, outgoing: ServerResponse): HttpResponse | undefined => {
  if (!offered.has(outgoing)) {
    return failure(501, "WEBSOCKET_NOT_SUPPORTED: it needs Node.js 22.21, 24.9 or later")
  }
  const { headers } = incoming
  if (headers["sec-websocket-version"] !== "13") {
    return failure(426, "UPGRADE_REQUIRED", ["Sec-WebSocket-Version", "13"])
  }
  return keyPattern.test(headers["sec-websocket-key"] ?? "") ? undefined : invalidRequest
}
