/**
 * A network in memory: the Transport of a broker under test, and the clients' ends of its connections. Bytes arrive in order
 * and may be split anywhere. A peer that does not read makes the other side's writes wait, as in TCP. Machines can be separated
 * for a while.
 */
import { Context, Effect, FiberSet, Layer, type Scope } from "effect"
import { connectFailure, listenFailure, type NetError } from "../services/net/NetError.ts"
import { type Connection, Transport } from "../services/net/Transport.ts"
import * as Chance from "./Chance.ts"
import * as MemoryPipe from "./MemoryPipe.ts"

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
 * The network from the view of one machine: a `Transport` whose connections can also be broken off.
 *
 * @since 0.2.0
 * @category models
 */
export interface MachineTransport {
  readonly listen: Transport["Service"]["listen"]
  /** Connects to an address. */
  readonly connect: (address: string) => Effect.Effect<Peer, NetError, Scope.Scope>
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
  /**
   * Returns the network as seen from the machine `name`: its connections come from there, and it listens at `name:port`. After
   * the machine has crashed, a new one is needed.
   */
  readonly machine: (name: string) => MachineTransport
  /** Loses everything that two machines send each other, without an error, until `reunite`. */
  readonly separate: (one: string, other: string) => Effect.Effect<void>
  /** Ends a separation. Connections that lost bytes are reset. */
  readonly reunite: (one: string, other: string) => Effect.Effect<void>
  /**
   * Ends the programs of a machine at once: its listeners are closed, and what its programs still send is lost. By default its
   * connections are reset, as when a process is killed. If it is `silent`, as without power, its peers notice nothing until `boot`.
   */
  readonly crash: (name: string, how?: "reset" | "silent") => Effect.Effect<void>
  /** Starts a machine that is silent since its crash. The connections from before are reset. */
  readonly boot: (name: string) => Effect.Effect<void>
}>()("effect-nsq/testing/MemoryNetwork") {}

/** A connection that a separation can cut. */
interface Cable extends MemoryPipe.Link {
  readonly from: string
  readonly to: string
  readonly lose: () => void
}

const pair = (one: string, other: string): string => [one, other].sort().join(" ")

const localhost = "127.0.0.1"

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(":"))

const whole: MemoryPipe.Cut = (bytes) => [bytes]

const make = (cut: MemoryPipe.Cut) =>
  Effect.sync(() => {
    const listeners = new Map<string, (connection: Connection, end: Effect.Effect<void>) => void>()
    const cables = new Set<Cable>()
    /** Separated pairs of machines and silent machines, with the connects that wait for their end. */
    const blocks = new Map<string, Set<() => void>>()
    /** The crashes of each machine. */
    const crashes = new Map<string, number>()
    let connections = 0

    const crashesOf = (name: string): number => crashes.get(name) ?? 0

    const blockOf = (one: string, other: string) => blocks.get(pair(one, other)) ?? blocks.get(one) ?? blocks.get(other)

    const reachable = (one: string, other: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const waiting = blockOf(one, other)
        if (waiting === undefined) return Effect.void
        return Effect.andThen(
          Effect.callback<void>((resume) => {
            const go = (): void => resume(Effect.void)
            waiting.add(go)
            return Effect.sync(() => void waiting.delete(go))
          }),
          reachable(one, other)
        )
      })

    const listenAs = (name: string | undefined): MachineTransport["listen"] => {
      const generation = crashesOf(name ?? "")
      return Effect.fnUntraced(function*<R>(
        address: string,
        handle: (connection: Connection) => Effect.Effect<void, never, R | Scope.Scope>
      ) {
        if (name !== undefined && crashesOf(name) !== generation) {
          return yield* listenFailure(address, new Error("the machine has crashed"))
        }
        if (listeners.has(address)) {
          return yield* listenFailure(address, new Error("address already in use"))
        }
        const handlers = yield* FiberSet.make<void>()
        const fork = yield* FiberSet.runtime(handlers)<Exclude<R, Scope.Scope>>()
        const accept = (connection: Connection, end: Effect.Effect<void>) =>
          void fork(Effect.ensuring(Effect.scoped(handle(connection)), end))
        yield* Effect.acquireRelease(
          Effect.sync(() => listeners.set(address, accept)),
          () =>
            Effect.sync(() => {
              if (listeners.get(address) === accept) listeners.delete(address)
            })
        )
        return { address, port: Number(address.slice(address.lastIndexOf(":") + 1)) || -1, broken: Effect.never }
      })
    }

    const connectFrom = Effect.fnUntraced(function*(from: string, generation: number, address: string) {
      const to = hostOf(address)
      const alive = Effect.suspend(() =>
        crashesOf(from) === generation
          ? Effect.void
          : Effect.fail(connectFailure(address, "the machine has crashed"))
      )
      yield* alive
      yield* reachable(from, to)
      yield* alive
      const accept = listeners.get(address)
      if (accept === undefined) return yield* connectFailure(address, "connection refused")
      const cable: Cable = { open: true, damaged: false, from, to, lose: () => (toServer.lose(), toClient.lose()) }
      const toServer: MemoryPipe.Pipe = yield* MemoryPipe.make(cable, cut)
      const toClient: MemoryPipe.Pipe = yield* MemoryPipe.make(cable, cut)
      cables.add(cable)
      const server = MemoryPipe.endpoint(`${from}:${50_000 + connections++}`, toServer, toClient)
      const client = MemoryPipe.endpoint(address, toClient, toServer)
      accept(server, Effect.sync(() => toClient.end()))
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          toServer.end()
          if (!cable.damaged) cables.delete(cable)
        })
      )
      return { ...client, end: toServer.end, breakOff: Effect.sync(cable.lose) }
    })

    const lose = (cable: Cable): void => {
      cables.delete(cable)
      cable.lose()
    }

    const cablesOf = (belongs: (cable: Cable) => boolean): ReadonlyArray<Cable> => Array.from(cables).filter(belongs)

    const block = (key: string, belongs: (cable: Cable) => boolean): Effect.Effect<void> =>
      Effect.sync(() => {
        if (!blocks.has(key)) blocks.set(key, new Set())
        for (const cable of cablesOf(belongs)) cable.open = false
      })

    const unblock = (key: string, belongs: (cable: Cable) => boolean): Effect.Effect<void> =>
      Effect.sync(() => {
        const waiting = blocks.get(key)
        if (waiting === undefined) return
        blocks.delete(key)
        for (const cable of cablesOf(belongs)) {
          if (blockOf(cable.from, cable.to) !== undefined) continue
          cable.open = true
          if (cable.damaged) lose(cable)
        }
        for (const go of waiting) go()
      })

    const between = (one: string, other: string) => ({ from, to }: Cable) => pair(from, to) === pair(one, other)
    const at = (name: string) => ({ from, to }: Cable) => from === name || to === name

    const crash = (name: string, how: "reset" | "silent" = "reset"): Effect.Effect<void> =>
      Effect.suspend(() => {
        crashes.set(name, crashesOf(name) + 1)
        for (const address of listeners.keys()) {
          if (hostOf(address) === name) listeners.delete(address)
        }
        if (how === "reset") return Effect.sync(() => cablesOf(at(name)).forEach(lose))
        for (const cable of cablesOf(at(name))) cable.damaged = true
        return block(name, at(name))
      })

    const machine = (name: string): MachineTransport => {
      const generation = crashesOf(name)
      return { listen: listenAs(name), connect: (address) => connectFrom(name, generation, address) }
    }
    const connect = (address: string) => connectFrom(localhost, crashesOf(localhost), address)
    return Context.make(Transport, { listen: listenAs(undefined), connect }).pipe(
      Context.add(MemoryNetwork, {
        connect,
        machine,
        separate: (one, other) => block(pair(one, other), between(one, other)),
        reunite: (one, other) => unblock(pair(one, other), between(one, other)),
        crash,
        boot: (name) => unblock(name, at(name))
      })
    )
  })

/**
 * A Transport in memory, and its network.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Transport | MemoryNetwork> = Layer.effectContext(make(whole))

/**
 * The same, with a third of all writes cut into two reads at any byte, as the seed decides.
 *
 * @since 0.2.0
 * @category layers
 */
export const layerSeeded = (seed: number): Layer.Layer<Transport | MemoryNetwork> =>
  Layer.effectContext(make(Chance.cuts(Chance.make(seed))))
