/**
 * Datagrams over `node:dgram`.
 */
import { Effect, Layer, type Scope } from "effect"
import * as Dgram from "node:dgram"
import * as Dns from "node:dns"
import { Datagrams } from "./Datagrams.ts"
import { datagramFailure, type NetError } from "./NetError.ts"
import { splitAddress } from "./Transport.ts"

/** NSQ's limit for resolving a host. */
const connectTimeout = "1 second"

const lookUp = (address: string, host: string): Effect.Effect<Dns.LookupAddress, NetError> =>
  Effect.callback((resume) => {
    Dns.lookup(host === "" ? "localhost" : host, (cause, ip, family) => {
      const failed = cause === null ? undefined : datagramFailure(address, cause)
      resume(failed === undefined ? Effect.succeed({ address: ip, family }) : Effect.fail(failed))
    })
  })

const open = ({ family }: Dns.LookupAddress): Effect.Effect<Dgram.Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = Dgram.createSocket(family === 6 ? "udp6" : "udp4")
      // An ICMP error is reported to the next `send`.
      socket.on("error", () => {})
      return socket
    }),
    (socket) => Effect.sync(() => void socket.close())
  )

const bindTo = (address: string, socket: Dgram.Socket, port: number, ip: string): Effect.Effect<void, NetError> =>
  Effect.callback((resume) => {
    const failed = (cause: Error): void => resume(Effect.fail(datagramFailure(address, cause)))
    socket.once("error", failed)
    socket.connect(port, ip, () => {
      socket.off("error", failed)
      resume(Effect.void)
    })
  })

const send = (address: string, socket: Dgram.Socket, bytes: Uint8Array): Effect.Effect<void, NetError> =>
  Effect.callback((resume) => {
    socket.send(
      bytes,
      (cause) => resume(cause === null ? Effect.void : Effect.fail(datagramFailure(address, cause)))
    )
  })

/**
 * The live Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Datagrams> = Layer.succeed(Datagrams, {
  connect: Effect.fnUntraced(function*(address: string) {
    const target = splitAddress(address)
    if (target === undefined || target.port === 0 || target.port > 65_535) {
      return yield* datagramFailure(address, new Error("not of the form host:port"))
    }
    const connecting = Effect.gen(function*() {
      const found = yield* lookUp(address, target.host)
      const socket = yield* open(found)
      yield* bindTo(address, socket, target.port, found.address)
      return socket
    })
    const socket = yield* Effect.timeoutOrElse(connecting, {
      duration: connectTimeout,
      orElse: () => Effect.fail(datagramFailure(address, new Error("i/o timeout")))
    })
    return { send: (bytes: Uint8Array) => send(address, socket, bytes) }
  })
})
