/** What only Node's own request knows: who sent it, and its line as it was sent. */
import type { HttpServerRequest } from "effect/http"
import { IncomingMessage } from "node:http"
import { peerAddress } from "../transport/Transport.ts"

type Request = HttpServerRequest.HttpServerRequest

/** IP address of the sender, whatever proxies say; empty where there is none. */
export const ip = ({ source }: Request): string =>
  source instanceof IncomingMessage ? source.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "" : ""

/** `host:port` of the sender. */
export const address = ({ source }: Request): string =>
  source instanceof IncomingMessage ? peerAddress(source.socket.remoteAddress, source.socket.remotePort) : "@"

/** Path and query as they were sent, the base path included. */
export const target = ({ source, url }: Request): string => source instanceof IncomingMessage ? source.url ?? url : url
