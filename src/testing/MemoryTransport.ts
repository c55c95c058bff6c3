/**
 * A network in memory: the Transport of a broker under test, and the clients' ends of its connections. Bytes arrive in order
 * and may be split anywhere. A peer that does not read makes the other side's writes wait, as in TCP. Machines can be separated
 * for a while.
 */
import { Cause, Context, Effect, FiberSet, Layer, Queue, type Scope } from "effect"
import { connectFailure, connectionLoss, listenFailure, type NetError } from "../services/net/NetError.ts"
import { type Connection, Transport } from "../services/net/Transport.ts"

/** Unread bytes that the network accepts, like the buffers of sockets. */
const networkBytes = 256 * 1024

/** The path between two machines. */
interface Link {
  /** Whether bytes arrive. */
  open: boolean
  /** Whether bytes were lost. */
  damaged: boolean
}

const carries = (link: Link): boolean => {
  link.damaged ||= !link.open
  return link.open
}

/** One direction of a connection. */
const makePipe = Effect.fnUntraced(function*(link: Link) {
  const chunks = yield* Queue.unbounded<Buffer | undefined, NetError>()
  const drains = new Set<() => void>()
  let unread = 0
  let written = 0
  let ended = false
  const pendingBytes = () => Math.max(0, unread - networkBytes)
  const wakeWriters = () => {
    for (const done of drains) done()
    drains.clear()
  }
  return {
    write: (bytes: Uint8Array) => {
      if (ended || !carries(link)) return true
      unread += bytes.length
      written += bytes.length
      Queue.offerUnsafe(chunks, Buffer.from(bytes))
      return true
    },
    end: () => {
      if (!ended && carries(link)) Queue.offerUnsafe(chunks, undefined)
      ended = true
    },
    lose: () => {
      ended = true
      Queue.failCauseUnsafe(chunks, Cause.fail(connectionLoss("connection reset by peer")))
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
    takenBytes: () => written - pendingBytes(),
    drained: Effect.callback<void>((resume) => {
      if (pendingBytes() === 0 || ended) return resume(Effect.void)
      const done = (): void => resume(Effect.void)
      drains.add(done)
      return Effect.sync(() => void drains.delete(done))
    })
  }
})

type Pipe = Effect.Success<ReturnType<typeof makePipe>>

const endpoint = (remoteAddress: string, input: Pipe, output: Pipe): Connection => ({
  remoteAddress,
  read: input.read,
  write: output.write,
  cork: () => {},
  uncork: () => {},
  pendingBytes: output.pendingBytes,
  takenBytes: output.takenBytes,
  drained: output.drained
})

/**
 * The client's end of a connection. Closing its Scope ends the connection in order.
 *
 * @since 0.1.0
 * @category models
 */
export interface Peer extends Connection {
  /** Breaks the connection in both directions, like a lost machine or a reset. */
  readonly breakOff: Effect.Effect<void>
  /** Ends sending; the other direction stays readable. */
  readonly end: () => void
}

/**
 * The network on which a broker with `MemoryTransport` listens.
 *
 * @since 0.1.0
 * @category services
 */
export class MemoryNetwork extends Context.Service<MemoryNetwork, {
  /** Connects to an address. */
  readonly connect: (address: string) => Effect.Effect<Peer, NetError, Scope.Scope>
  /** Returns the network as seen from the machine `name`: its connections come from there, and it listens at `name:port`. */
  readonly machine: (name: string) => Transport["Service"]
  /** Loses everything that two machines send each other, without an error, until `reunite`. */
  readonly separate: (one: string, other: string) => Effect.Effect<void>
  /** Ends a separation. Connections that lost bytes are reset. */
  readonly reunite: (one: string, other: string) => Effect.Effect<void>
}>()("effect-nsq/testing/MemoryNetwork") {}

/** A connection that a separation can cut. */
interface Cable extends Link {
  /** The pair of machines that it connects. */
  readonly between: string
  readonly lose: () => void
}

const pair = (one: string, other: string): string => [one, other].sort().join(" ")

const localhost = "127.0.0.1"

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(":"))

const make = Effect.gen(function*() {
  const listeners = new Map<string, (connection: Connection, end: Effect.Effect<void>) => void>()
  const cables = new Set<Cable>()
  /** Pairs of separated machines, with the connects that wait for their reunion. */
  const separations = new Map<string, Set<() => void>>()
  let connections = 0

  const listen: Transport["Service"]["listen"] = Effect.fnUntraced(function*<R>(
    address: string,
    handle: (connection: Connection) => Effect.Effect<void, never, R | Scope.Scope>
  ) {
    if (listeners.has(address)) {
      return yield* listenFailure(address, new Error("address already in use"))
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

  const reachable = (one: string, other: string): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const waiting = separations.get(pair(one, other))
      if (waiting === undefined) return resume(Effect.void)
      const go = (): void => resume(Effect.void)
      waiting.add(go)
      return Effect.sync(() => void waiting.delete(go))
    })

  const connectFrom = Effect.fnUntraced(function*(from: string, address: string) {
    const to = hostOf(address)
    yield* reachable(from, to)
    const accept = listeners.get(address)
    if (accept === undefined) return yield* connectFailure(address, "connection refused")
    const cable: Cable = {
      open: true,
      damaged: false,
      between: pair(from, to),
      lose: () => (toServer.lose(), toClient.lose())
    }
    const toServer: Pipe = yield* makePipe(cable)
    const toClient: Pipe = yield* makePipe(cable)
    cables.add(cable)
    const server = endpoint(`${from}:${50_000 + connections++}`, toServer, toClient)
    const client = endpoint(address, toClient, toServer)
    accept(server, Effect.sync(() => toClient.end()))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        toServer.end()
        if (!cable.damaged) cables.delete(cable)
      })
    )
    return { ...client, end: toServer.end, breakOff: Effect.sync(cable.lose) }
  })

  const cablesBetween = (machines: string): ReadonlyArray<Cable> =>
    Array.from(cables).filter(({ between }) => between === machines)

  const separate = (one: string, other: string): Effect.Effect<void> =>
    Effect.sync(() => {
      const machines = pair(one, other)
      if (!separations.has(machines)) separations.set(machines, new Set())
      for (const cable of cablesBetween(machines)) cable.open = false
    })

  const reunite = (one: string, other: string): Effect.Effect<void> =>
    Effect.sync(() => {
      const machines = pair(one, other)
      const waiting = separations.get(machines)
      if (waiting === undefined) return
      separations.delete(machines)
      for (const cable of cablesBetween(machines)) {
        cable.open = true
        if (!cable.damaged) continue
        cables.delete(cable)
        cable.lose()
      }
      for (const go of waiting) go()
    })

  const connect = (address: string) => connectFrom(localhost, address)
  const machine = (name: string): Transport["Service"] => ({ listen, connect: (address) => connectFrom(name, address) })
  return Context.make(Transport, { listen, connect }).pipe(
    Context.add(MemoryNetwork, { connect, machine, separate, reunite })
  )
})

/**
 * A Transport in memory, and its network.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Transport | MemoryNetwork> = Layer.effectContext(make)
