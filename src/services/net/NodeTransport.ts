/**
 * The Transport over `node:net`. It does not use Effect's socket server, because a broker has to stop accepting before
 * connections end, to know how much output is pending, to write without a fiber, and to end connections within a bounded time
 * regardless of the peer.
 */
import { Effect, FiberSet, Layer, type Scope } from "effect"
import * as Net from "node:net"
import * as SystemText from "../core/SystemText.ts"
import { connectFailure, type NetError } from "./NetError.ts"
import * as NetListener from "./NetListener.ts"
import { isSupported, SharedInput } from "./SharedInput.ts"
import * as SocketConnection from "./SocketConnection.ts"
import { type Connection, splitAddress, Transport } from "./Transport.ts"

/** TCP keepalive detects peers that vanished, also if heartbeats are off; the interval is that of Go's listeners. */
const serverOptions: Net.ServerOpts = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 15_000
}

/** Returns why an address cannot be connected to. Without a port it would be the path of a socket; paths have a slash mostly. */
const reasonOf = (address: string, error: NodeJS.ErrnoException): string =>
  error.code === "ENOENT" && !address.includes("/") ? "missing port in address" : SystemText.textOf(error)

/** A socket of this side, and its input. */
interface Dialed {
  readonly socket: Net.Socket
  readonly input: SharedInput | undefined
}

const dial = (address: string): Effect.Effect<Dialed, NetError> =>
  Effect.callback((resume) => {
    const split = splitAddress(address)
    const where = split === undefined ? { path: address } : { host: split.host || "localhost", port: split.port }
    const input = isSupported ? new SharedInput() : undefined
    const onread = input === undefined ? {} : { onread: input.onread }
    const socket = Net.connect({ ...where, allowHalfOpen: true, noDelay: true, ...onread })
    const failed = (error: Error): void => resume(Effect.fail(connectFailure(address, reasonOf(address, error))))
    socket.once("error", failed)
    socket.once("connect", () => {
      socket.off("error", failed)
      resume(Effect.succeed({ socket, input }))
    })
    return Effect.sync(() => {
      socket.off("error", failed)
      // Without a listener an error after the interruption would end the process.
      socket.on("error", () => {})
      socket.destroy()
    })
  })

/**
 * The live Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = Layer.succeed(Transport, {
  connect: (address) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(dial(address)), ({ input, socket }) => SocketConnection.make(socket, input))
    ),
  listen: Effect.fnUntraced(function*<R>(
    address: string,
    handle: (connection: Connection) => Effect.Effect<void, never, R | Scope.Scope>
  ) {
    const handlers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(handlers)<Exclude<R, Scope.Scope>>()
    const server = Net.createServer(serverOptions, (socket) => {
      fork(Effect.scoped(Effect.flatMap(SocketConnection.make(socket), handle)))
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => void server.close()))
    return yield* NetListener.bind(server, address, "tcp")
  })
})
