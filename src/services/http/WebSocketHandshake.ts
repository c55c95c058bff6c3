/** Accepts an upgrade to a WebSocket (RFC 6455, section 4.2). Loaded with the first one. */
import * as Crypto from "node:crypto"
import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"

/** The constant of RFC 6455, section 1.3. */
const salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/** Accepts the upgrade, whose connection is the caller's from now on. */
export const accept = (incoming: IncomingMessage): Socket => {
  const { headers, socket } = incoming
  const proof = Crypto.createHash("sha1").update(`${headers["sec-websocket-key"]}${salt}`).digest("base64")
  socket.setTimeout(0)
  socket.setNoDelay(true)
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof}\r\n\r\n`
  )
  return socket
}
