/**
 * Upgrades of HTTP connections to WebSockets: which requests want one, and which of them are possible. Requests with another `Upgrade`,
 * such as `h2c` of Java's client, are ordinary ones. `WebSocketHandshake` accepts an upgrade.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { failure, type HttpResponse, invalidRequest } from "./HttpResponse.ts"

/** Responses whose connection may be taken over. */
const offered = new WeakSet<ServerResponse>()

/** Offers the connection of a response to its handler. */
export const offer = (outgoing: ServerResponse): void => void offered.add(outgoing)

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
