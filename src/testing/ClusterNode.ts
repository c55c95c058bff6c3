/**
 * A machine of a `TestCluster` with one daemon: it starts, stops, crashes and starts again.
 */
import { type Context, Effect, Exit, type Fiber, Layer, Logger, Random, Scope } from "effect"
import { LogOutput } from "../services/logging/LogOutput.ts"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import * as Chance from "./Chance.ts"
import { type Idle, untilIdle } from "./Idle.ts"
import { MemoryNetwork } from "./MemoryTransport.ts"

/**
 * A machine with one daemon. `Services` are what the daemon gives out while it runs.
 *
 * @since 0.2.0
 * @category models
 */
export interface ClusterNode<Services> {
  /** The address of the machine, for example `10.0.0.1`. */
  readonly host: string
  /** `host:port` for the TCP protocol. */
  readonly tcpAddress: string
  /** `host:port` of the HTTP API. */
  readonly httpAddress: string
  /** Whether the daemon runs. */
  readonly isRunning: () => boolean
  /** Runs an effect with the services of the daemon. Dies if the daemon does not run. */
  readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Services>>
  /** Starts the daemon, with the options of its last start. Does nothing if it runs. Dies if it cannot start. */
  readonly start: Effect.Effect<void>
  /**
   * Stops the daemon as SIGTERM does. What waits for a time of the TestClock, for example for a client that does not receive its
   * output, waits until the test adjusts the clock.
   */
  readonly stop: Effect.Effect<void>
  /**
   * Ends the daemon as `kill -9` does: nothing of it runs any more, its connections are reset, and its disk has what was written.
   */
  readonly kill: Effect.Effect<void>
  /**
   * Turns the power off: the disk has what was synced, and of the rest what the seed decides (`FaultyDisk.losePower`). The peers
   * notice nothing until the machine starts again.
   */
  readonly losePower: Effect.Effect<void>
}

/** What a kind of daemon adds. */
export interface NodeSettings<Services> {
  readonly host: string
  readonly tcpAddress: string
  readonly httpAddress: string
  /** The seed of this machine. */
  readonly seed: number
  /** Receives the daemon's log. */
  readonly log: ((line: string) => void) | undefined
  /** The daemon. */
  readonly daemon: Layer.Layer<Services, unknown>
  /** What happens to the disk. */
  readonly crash: (how: "kill" | "losePower", seed: number) => void
}

/** A running daemon. */
interface Running<Services> {
  readonly services: Context.Context<Services>
  readonly scope: Scope.Closeable
  /** Whether it still logs. */
  speaks: boolean
}

const randomOf = (chance: Chance.Chance): Random.Random => ({
  nextDoubleUnsafe: chance,
  nextIntUnsafe: () => Math.floor((chance() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
})

/** Creates a machine without a running daemon. When the Scope closes, the daemon ends without a stop. */
export const make = Effect.fnUntraced(function*<Services>(
  settings: NodeSettings<Services>
): Effect.fn.Return<ClusterNode<Services>, never, MemoryNetwork | Idle | Scope.Scope> {
  const { host, log, seed } = settings
  const network = yield* MemoryNetwork
  const context = yield* Effect.context<Idle>()
  let running: Running<Services> | undefined
  let starts = 0
  let hasPower = true

  const start = Effect.gen(function*() {
    if (running !== undefined) return
    const generation = Chance.seedOf(seed, `start ${starts++}`)
    if (!hasPower) yield* network.boot(host)
    hasPower = true
    const scope = yield* Scope.make()
    const output = { speaks: true }
    const write = (line: string): void => {
      if (output.speaks) log?.(line)
    }
    const logging = log === undefined
      ? Logger.layer([])
      : NsqLogger.layer({ level: "info", prefix: `${host} `, format: "nsq" }).pipe(
        Layer.provide(Layer.succeed(LogOutput, { write }))
      )
    const world = Layer.mergeAll(
      logging,
      Layer.succeed(Random.Random, randomOf(Chance.make(generation)))
    )
    // Fresh, because a Layer that is shared by reference would be shared by the daemons of the cluster.
    const daemon = Layer.fresh(settings.daemon.pipe(Layer.provide(world)))
    const services = yield* Layer.buildWithScope(daemon, scope).pipe(
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
      Effect.orDie
    )
    running = Object.assign(output, { services, scope })
  }).pipe(Effect.uninterruptible, Effect.provideContext(context))

  const stop = Effect.suspend(() => {
    const current = running
    running = undefined
    return current === undefined ? Effect.void : Scope.close(current.scope, Exit.void)
  })

  const crash = (how: "kill" | "losePower") =>
    Effect.gen(function*() {
      if (running === undefined && how === "kill") return
      const current = running
      running = undefined
      if (current !== undefined) current.speaks = false
      if (how === "losePower") hasPower = false
      settings.crash(how, Chance.seedOf(seed, `crash ${starts}`))
      yield* network.crash(host, how === "kill" ? "reset" : "silent")
      if (current === undefined) return
      // Nothing of the former process has an effect any more, so that what it still waits for at its end does not matter.
      const closing: Fiber.Fiber<void> = yield* Effect.forkDetach(Scope.close(current.scope, Exit.void), {
        startImmediately: true
      })
      while (closing.pollUnsafe() === undefined) {
        yield* untilIdle
        if (closing.pollUnsafe() === undefined) return
      }
    }).pipe(Effect.uninterruptible, Effect.provideContext(context))

  yield* Effect.addFinalizer(() => crash("kill"))
  return {
    host,
    tcpAddress: settings.tcpAddress,
    httpAddress: settings.httpAddress,
    isRunning: () => running !== undefined,
    run: (effect) =>
      Effect.suspend(() =>
        running === undefined
          ? Effect.die(new Error(`the daemon at ${host} does not run`))
          : Effect.provideContext(effect, running.services)
      ),
    start,
    stop,
    kill: crash("kill"),
    losePower: crash("losePower")
  }
})
