/**
 * Pushes statistics to statsd over UDP (docs/protocol/metrics.md#statsd): every interval, first after one interval,
 * with the datagrams spread over it. Failed sends are logged and not retried.
 */
import { Deferred, Duration, Effect, Fiber, identity, Layer } from "effect"
import type { Topic } from "../../../protocol/http/StatsResponse.ts"
import * as Time from "../../core/Time.ts"
import { finish, Turns } from "../../core/Turns.ts"
import { Datagrams } from "../../net/Datagrams.ts"
import { Broker } from "../broker/Broker.ts"
import { Clients } from "../broker/Clients.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { RuntimeOptions } from "../options/RuntimeOptions.ts"
import { ProcessMemory } from "../stats/ProcessMemory.ts"
import * as StatsJson from "../stats/StatsJson.ts"
import * as StatsdLines from "./StatsdLines.ts"

/** Nothing is sent in the last second of an interval. */
const quietMillis = 1000

const make = Effect.gen(function*() {
  const { statsdAddress: address, statsdExcludeEphemeral, statsdInterval, statsdMemStats, statsdUdpPacketSize } =
    yield* NsqdOptions
  const broker = yield* Broker
  const clients = yield* Clients
  const memory = yield* ProcessMemory
  const options = yield* RuntimeOptions
  const datagrams = yield* Datagrams
  const time = yield* Time.make
  const turns = yield* Turns
  const intervalMillis = Duration.toMillis(statsdInterval)
  const stopping = yield* Deferred.make<void>()

  const wait = (millis: number): Effect.Effect<void> =>
    millis <= 0 ? Effect.void : Effect.asVoid(Effect.timeoutOption(Deferred.await(stopping), millis))

  const filter: StatsJson.StatsFilter = { topic: "", channel: "", includeClients: false }
  /** Builds the datagrams, and the snapshot they are made from. A step is one topic. */
  function* prepare(prefix: string, before: StatsdLines.Snapshot) {
    const shown = statsdExcludeEphemeral ? StatsdLines.withoutEphemeral : identity<StatsdLines.Snapshot>
    const { topics } = yield* StatsJson.read(broker, clients, undefined, undefined, filter)
    const all: Array<Topic> = []
    for (const topic of topics ?? []) {
      all.push(topic)
      yield
    }
    const now = shown({ topics: all, memory: statsdMemStats ? memory.read() : undefined })
    const packets = new StatsdLines.Packets(statsdUdpPacketSize)
    for (const lines of StatsdLines.lines(prefix, now, before)) {
      packets.add(lines)
      yield
    }
    return { now, packets: packets.end() }
  }

  /** Sends all datagrams; without pauses once the daemon stops. */
  const push = Effect.fnUntraced(function*(before: StatsdLines.Snapshot) {
    const socket = yield* datagrams.connect(address)
    yield* Effect.logInfo(`STATSD: pushing stats to ${address}`)
    const { statsdPrefix } = yield* options.current
    const { now, packets } = yield* finish(turns, prepare(statsdPrefix, before))
    const pause = (intervalMillis - quietMillis) / packets.length
    let failed: string | undefined
    for (const packet of packets) {
      yield* Effect.catch(socket.send(packet), ({ message }) => Effect.sync(() => void (failed = message)))
      yield* wait(pause)
    }
    if (failed !== undefined) yield* Effect.logWarning(`STATSD: some packets were not sent - ${failed}`)
    return now
  }, Effect.scoped)

  const run = Effect.gen(function*() {
    let before = StatsdLines.nothing
    let next = time.monotonicMillis() + intervalMillis
    while (true) {
      yield* wait(next - time.monotonicMillis())
      if (Deferred.isDoneUnsafe(stopping)) return
      // After a push that took longer than the interval, the missed intervals are skipped.
      while (next <= time.monotonicMillis()) next += intervalMillis
      before = yield* Effect.catch(
        push(before),
        ({ message }) =>
          Effect.as(Effect.logError(`failed to create UDP socket to statsd(${address}) - ${message}`), before)
      )
    }
  })

  yield* Effect.acquireRelease(Effect.forkScoped(run), (fiber) =>
    Effect.gen(function*() {
      yield* Deferred.succeed(stopping, undefined)
      yield* Fiber.await(fiber)
      yield* Effect.logInfo("STATSD: closing")
    }))
})

/**
 * Pushes until the Scope closes; does nothing without `--statsd-address`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never, never, Broker | Clients | ProcessMemory | RuntimeOptions | Datagrams> = Layer
  .effectDiscard(Effect.flatMap(NsqdOptions, ({ statsdAddress }) => statsdAddress === "" ? Effect.void : make))
