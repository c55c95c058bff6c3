/**
 * `/node` (docs/protocol/http.md#node): the process and the machine of this nsqd, its health and its drain.
 */
import { Effect, Option } from "effect"
import process from "node:process"
import type { NodeDelay, NodeDisk, NodeDrain, NodeMemory, NodeStatus } from "../../../protocol/http/NodeResponse.ts"
import { type DelayFigures, type MemoryFigures, ProcessFigures } from "../../core/ProcessFigures.ts"
import { packageVersion, version } from "../../core/Version.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import { type Route, route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import { Clients } from "../broker/Clients.ts"
import type { Drain } from "../broker/Drain.ts"
import { Disk } from "../disk/Disk.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import * as OptionReads from "../options/OptionReads.ts"
import { Storage } from "../storage/Storage.ts"

const memoryOf = ({ available, external, heapLimit, heapUsed, rss, total }: MemoryFigures): NodeMemory => ({
  rss_bytes: rss,
  heap_used_bytes: heapUsed,
  heap_limit_bytes: heapLimit,
  external_bytes: external,
  available_bytes: available,
  total_bytes: total
})

const micros = (nanos: number): number => Math.round(nanos / 1000)

const delayOf = (delay: DelayFigures | undefined): NodeDelay | null =>
  delay === undefined ? null : {
    p50_usec: micros(delay.p50),
    p99_usec: micros(delay.p99),
    max_usec: micros(delay.max),
    seconds: delay.seconds
  }

/** The topics are counted during a drain only. */
const drainOf = (drain: Drain): NodeDrain | null => {
  if (!drain.isDraining()) return null
  let [depth, inFlight, deferred, isDrained] = [0, 0, 0, true]
  for (const topic of drain.remaining()) {
    depth += topic.waiting
    inFlight += topic.inFlight
    deferred += topic.deferred
    isDrained &&= topic.isEmpty
  }
  return {
    since: drain.since(),
    drained: isDrained,
    depth,
    in_flight_count: inFlight,
    deferred_count: deferred
  }
}

/** The file system of the data directory, if the storage has one on this disk. */
const space: Effect.Effect<Effect.Effect<NodeDisk | null>> = Effect.map(
  Effect.all([Effect.serviceOption(Disk), OptionReads.current, NsqdOptions]),
  ([disk, reads, { dataPath }]) => {
    if (Option.isNone(disk) || !reads.has("dataPath")) return Effect.succeed(null)
    return Effect.match(disk.value.space(dataPath === "" ? "." : dataPath), {
      onFailure: () => null,
      // A total of 0 is unknown.
      onSuccess: ({ free, total }) =>
        total === 0 ? null : { free_bytes: free, used_bytes: Math.max(0, total - free), total_bytes: total }
    })
  }
)

/** The endpoint, for the services of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker | Clients | Storage | ProcessFigures> = Effect.gen(
  function*() {
    const { drain, startTime } = yield* Broker
    const clients = yield* Clients
    const storage = yield* Storage
    const figures = yield* ProcessFigures
    const readSpace = yield* space

    const status = Effect.gen(function*() {
      const health = yield* storage.health
      return HttpResponse.json(
        {
          version,
          effect_nsq_version: packageVersion,
          node_version: process.versions.node,
          health: health === undefined ? "OK" : `NOK - ${health}`,
          start_time: startTime,
          connection_count: clients.size(),
          memory: memoryOf(figures.memory()),
          event_loop_delay: delayOf(yield* figures.delay),
          disk: yield* readSpace,
          file_descriptors: (yield* figures.files) ?? null,
          drain: drainOf(drain)
        } satisfies NodeStatus
      )
    })

    // Not logged: nsqadmin requests it all the time.
    return [route("GET", "/node", () => status, false)]
  }
)
