/**
 * A network in memory: the Transport for a broker under test, and the other ends of its connections. Bytes arrive in order and
 * whole writes may be cut anywhere by the reader; a peer that does not read makes the other side's writes pend, as TCP does.
 */
import { Cause, Context, Effect, FiberSet, Layer, Queue, type Scope } from "effect"
import {
  ConnectError,
  type Connection,
  ConnectionLost,
  ListenError,
  Transport
} from "../services/transport/Transport.ts"

/** Bytes that a peer has not read yet and that count as taken by the network, as a socket buffer would take them. */
const networkBytes = 256 * 1024

/** One direction of a connection. */
const makePipe = Effect.gen(function*() {
  const chunks = yield* Queue.unbounded<Buffer | undefined, ConnectionLost>()
  const drains = new Set<() => void>()
  let unread = 0
  let ended = false
  const pendingBytes = () => Math.max(0, unread - networkBytes)
  const wakeWriters = () => {
    for (const done of drains) done()
    drains.clear()
  }
  return {
    write: (bytes: Uint8Array) => {
      if (ended) return true
      unread += bytes.length
      Queue.offerUnsafe(chunks, Buffer.from(bytes))
      return true
    },
    end: () => {
      if (!ended) Queue.offerUnsafe(chunks, undefined)
      ended = true
    },
    lose: () => {
      ended = true
      Queue.failCauseUnsafe(chunks, Cause.fail(new ConnectionLost({ reason: "connection reset by peer" })))
      wakeWriters()
    },
    read: Effect.map(Queue.take(chunks), (chunk) => {
      unread -= chunk?.length ?? 0
      if (pendingBytes() === 0) wakeWriters()
      // The end stays readable.
      if (chunk === undefined) Queue.offerUnsafe(chunks, undefined)
      return chunk
    }),
    pendingBytes,
    drained: Effect.callback<void>((resume) => {
      if (pendingBytes() === 0 || ended) return resume(Effect.void)
      drains.add(() => resume(Effect.void))
    })
  }
})

type Pipe = Effect.Success<typeof makePipe>

const endpoint = (remoteAddress: string, input: Pipe, output: Pipe): Connection => ({
  remoteAddress,
  read: input.read,
  write: output.write,
  cork: () => {},
  uncork: () => {},
  pendingBytes: output.pendingBytes,
  drained: output.drained
})

/** The client's end of a connection; closing its Scope ends the connection in order. */
export interface Peer extends Connection {
  /** Breaks the connection in both directions, as a lost machine or a reset does. */
  readonly breakOff: Effect.Effect<void>
  /** Finishes sending; the other side can still be read from. */
  readonly end: () => void
}

/** The network that a `MemoryTransport` broker listens on. */
export class MemoryNetwork extends Context.Service<MemoryNetwork, {
  readonly connect: (address: string) => Effect.Effect<Peer, ConnectError, Scope.Scope>
}>()("effect-nsq/testing/MemoryNetwork") {}

const make = Effect.gen(function*() {
  const listeners = new Map<string, (connection: Connection, end: Effect.Effect<void>) => void>()
  let connections = 0

  const listen: Transport["Service"]["listen"] = Effect.fnUntraced(function*<R>(
    address: string,
    handle: (connection: Connection) => Effect.Effect<void, never, R | Scope.Scope>
  ) {
    if (listeners.has(address)) {
      return yield* new ListenError({ address, cause: new Error("address already in use") })
    }
    const handlers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(handlers)<Exclude<R, Scope.Scope>>()
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        listeners.set(
          address,
          (connection, end) => void fork(Effect.ensuring(Effect.scoped(handle(connection)), end))
        )
      ),
      () => Effect.sync(() => listeners.delete(address))
    )
    return { address, port: Number(address.slice(address.lastIndexOf(":") + 1)) || -1, broken: Effect.never }
  })

  const connect = Effect.fnUntraced(function*(address: string) {
    const accept = listeners.get(address)
    if (accept === undefined) return yield* new ConnectError({ address, reason: "connection refused" })
    const toServer = yield* makePipe
    const toClient = yield* makePipe
    const server = endpoint(`127.0.0.1:${50_000 + connections++}`, toServer, toClient)
    const client = endpoint(address, toClient, toServer)
    accept(server, Effect.sync(() => toClient.end()))
    yield* Effect.addFinalizer(() => Effect.sync(() => toServer.end()))
    return { ...client, end: toServer.end, breakOff: Effect.sync(() => (toServer.lose(), toClient.lose())) }
  })

  return Context.make(Transport, { listen, connect }).pipe(Context.add(MemoryNetwork, { connect }))
})

/** A Transport in memory, and the network to reach it. */
export const layer: Layer.Layer<Transport | MemoryNetwork> = Layer.effectContext(make)
