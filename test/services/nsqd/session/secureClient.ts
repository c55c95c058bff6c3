/**
 * A daemon on real sockets with storage in memory, and clients that upgrade to TLS with Node's API.
 */
import { Context, Effect, Layer, Queue, type Scope } from "effect"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import { LogOutput } from "../../../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../../../src/services/logging/NsqLogger.ts"
import { handshakeFailure, type NetError } from "../../../../src/services/net/NetError.ts"
import * as NodeTransport from "../../../../src/services/net/NodeTransport.ts"
import * as ServerTls from "../../../../src/services/net/ServerTls.ts"
import type { Connection } from "../../../../src/services/net/Transport.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { Clients } from "../../../../src/services/nsqd/broker/Clients.ts"
import { Publisher } from "../../../../src/services/nsqd/broker/Publisher.ts"
import { NsqdHttp } from "../../../../src/services/nsqd/http/NsqdHttp.ts"
import { Prometheus } from "../../../../src/services/nsqd/http/Prometheus.ts"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import { RuntimeOptions } from "../../../../src/services/nsqd/options/RuntimeOptions.ts"
import { TcpServer } from "../../../../src/services/nsqd/session/TcpServer.ts"
import { ProcessMemory } from "../../../../src/services/nsqd/stats/ProcessMemory.ts"
import { Storage } from "../../../../src/services/nsqd/storage/Storage.ts"
import { ProtocolClient } from "../../../../src/testing/index.ts"

export interface Daemon {
  readonly tcpPort: number
  readonly httpPort: number
  readonly httpsPort: number
  readonly clients: Clients["Service"]
  readonly tls: ServerTls.ServerTls
  /** The log lines so far. */
  readonly log: ReadonlyArray<string>
  /** Clears the log. */
  readonly forgetLog: () => void
  /** Completes with the first matching line, past or future. */
  readonly logged: (pattern: RegExp) => Effect.Effect<string>
}

/** Runs until the end of the test. */
export const serve = (options: Partial<NsqdOptions.NsqdOptions>): Effect.Effect<Daemon, never, Scope.Scope> =>
  Effect.gen(function*() {
    const log: Array<string> = []
    const watchers = new Set<() => void>()
    const write = (line: string): void => {
      log.push(line)
      for (const look of watchers) look()
    }
    const logging = NsqLogger.layer({ level: "debug", prefix: "", format: "nsq" }).pipe(
      Layer.provide(Layer.succeed(LogOutput, { write }))
    )
    const layer = Layer.mergeAll(TcpServer.layer, NsqdHttp.layer).pipe(
      Layer.provide([NodeTransport.layer, Prometheus.layer]),
      Layer.provide(ProcessMemory.layer),
      Layer.provideMerge(
        Layer.mergeAll(
          Publisher.layer,
          Clients.layer,
          DaemonState.layer,
          RuntimeOptions.layer
        )
      ),
      Layer.provideMerge(Broker.layer),
      Layer.provideMerge(Storage.layerMemory),
      Layer.provideMerge(ServerTls.layer({ ...NsqdOptions.defaults(), ...options })),
      Layer.provide(NsqdOptions.layer({
        tcpAddress: "127.0.0.1:0",
        httpAddress: "127.0.0.1:0",
        httpsAddress: "127.0.0.1:0",
        ...options
      })),
      Layer.provide(logging)
    )
    const context = yield* Effect.orDie(Layer.build(layer))
    const tls = Context.get(context, ServerTls.ServerTls)
    if (tls === undefined) return yield* Effect.die(new Error("the daemon has no certificate"))
    const { httpPort, httpsPort, tcpPort } = Context.get(context, DaemonState)
    return {
      tcpPort,
      httpPort,
      httpsPort,
      clients: Context.get(context, Clients),
      tls,
      log,
      forgetLog: () => void log.splice(0),
      logged: (pattern) =>
        Effect.callback((resume) => {
          const look = (): void => {
            const found = log.find((line) => pattern.test(line))
            if (found === undefined) return
            watchers.delete(look)
            resume(Effect.succeed(found))
          }
          watchers.add(look)
          look()
        })
    }
  })

/** A stream as a connection; a broken stream counts as ended. */
const over = Effect.fnUntraced(function*(stream: Net.Socket): Effect.fn.Return<Connection> {
  const chunks = yield* Queue.unbounded<Buffer | undefined>()
  const ended = (): void => void Queue.offerUnsafe(chunks, undefined)
  stream.on("data", (chunk) => Queue.offerUnsafe(chunks, chunk))
  stream.on("end", ended).on("close", ended).on("error", () => {})
  return {
    remoteAddress: "",
    read: Queue.take(chunks),
    write: (bytes) => stream.write(bytes),
    cork: () => stream.cork(),
    uncork: () => stream.uncork(),
    pendingBytes: () => stream.writableLength,
    takenBytes: () => stream.bytesWritten,
    drained: Effect.void
  }
})

export interface Client extends Omit<ProtocolClient.ProtocolClient, "peer"> {
  readonly socket: Net.Socket
}

/** A TCP connection on which nothing was sent. */
export const dial = (port: number): Effect.Effect<Net.Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => void socket.destroy())
  )

const clientOf = Effect.fnUntraced(function*(socket: Net.Socket): Effect.fn.Return<Client> {
  return { socket, ...ProtocolClient.over(yield* over(socket)) }
})

/** A client that has sent the magic. */
export const connect = Effect.fnUntraced(function*(port: number) {
  const client = yield* clientOf(yield* dial(port))
  yield* client.raw("  V2")
  return client
})

export const sized = (body: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(body)
  const size = Buffer.alloc(4)
  size.writeInt32BE(bytes.length)
  return Buffer.concat([size, bytes])
}

export const identify = (features: object): Buffer =>
  Buffer.concat([Buffer.from("IDENTIFY\n"), sized(JSON.stringify({ feature_negotiation: true, ...features }))])

/** A client that has received its IDENTIFY response. */
export const identified = Effect.fnUntraced(function*(port: number, features: object) {
  const client = yield* connect(port)
  yield* client.raw(identify(features))
  const answer: Record<string, unknown> = JSON.parse((yield* client.text) ?? "null")
  return { client, answer }
})

/** The client's part of the TLS handshake; fails with its error. */
export const handshake = (
  socket: Net.Socket,
  options: Tls.ConnectionOptions = {}
): Effect.Effect<Tls.TLSSocket, NetError> =>
  Effect.callback((resume) => {
    socket.removeAllListeners("data")
    const secure = Tls.connect({ socket, rejectUnauthorized: false, ...options }, () => resume(Effect.succeed(secure)))
    const fail = (reason: string): void => resume(Effect.fail(handshakeFailure(reason)))
    secure.on("error", ({ message }) => fail(message))
    secure.on("close", () => fail("closed"))
  })

/** A client inside TLS that has read nothing yet: the next text is OK or the reason of a refusal. */
export const secured = Effect.fnUntraced(
  function*(port: number, options: Tls.ConnectionOptions = {}, features: object = {}) {
    const { client } = yield* identified(port, { tls_v1: true, ...features })
    const secure = yield* handshake(client.socket, options)
    return { ...yield* clientOf(secure), secure }
  }
)
