/** Clients that close their side as soon as they have sent their request, as `socat` and `nc -N` do. */
import { Effect } from "effect"
import * as Net from "node:net"
import * as Tls from "node:tls"

const heard = (socket: Net.Socket) =>
  Effect.callback<string>((resume) => {
    let text = ""
    socket.on("data", (chunk) => text += chunk.toString("latin1")).on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
  })

/** Sends these bytes, and returns all bytes that the server sends until it closes the connection. */
export const halfClosed = (port: number, bytes: string): Effect.Effect<string> =>
  Effect.suspend(() => {
    const socket = Net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.end(bytes, "latin1"))
    return heard(socket)
  })

/** The same over TLS, without verifying the certificate. */
export const halfClosedTls = (port: number, bytes: string): Effect.Effect<string> =>
  Effect.suspend(() => {
    const options = { port, host: "127.0.0.1", allowHalfOpen: true, rejectUnauthorized: false }
    const socket = Tls.connect(options, () => socket.end(bytes, "latin1"))
    return heard(socket)
  })
