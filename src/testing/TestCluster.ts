/**
 * A cluster in one process: any number of nsqd and nsqlookupd on a network and on disks in memory, with time from the TestClock. Its
 * machines can be separated, killed and started again, and everything random in it follows from one seed. It also gives the
 * program under test the network: the `Transport` and the `HttpClient` of a Producer or Consumer.
 *
 * ```ts
 * it.effect("a consumer finds an nsqd that is added", () =>
 *   Effect.gen(function*() {
 *     const cluster = yield* TestCluster
 *     const consumer = yield* Consumer.make({ topic, channel: "c", servers: cluster.lookup })
 *     const added = yield* cluster.addNsqd()
 *     yield* added.run(publish("t", [Buffer.from("hello")]))
 *   }).pipe(Effect.provide(TestCluster.layer({ nsqds: 2, nsqlookupds: 1 }))))
 * ```
 */
import { Context, Duration, Effect, Layer, Scope } from "effect"
import { HttpClient } from "effect/http"
import { onEventLoop, Turns, unlimited } from "../services/core/Turns.ts"
import * as DaemonRequests from "../services/http/DaemonRequests.ts"
import { Transport } from "../services/net/Transport.ts"
import type { Broker } from "../services/nsqd/broker/Broker.ts"
import type { Clients } from "../services/nsqd/broker/Clients.ts"
import type { Publisher } from "../services/nsqd/broker/Publisher.ts"
import { Disk } from "../services/nsqd/disk/Disk.ts"
import { KnownLookupds } from "../services/nsqd/lookup/KnownLookupds.ts"
import { LookupRegistration } from "../services/nsqd/lookup/LookupRegistration.ts"
import { Nsqd } from "../services/nsqd/Nsqd.ts"
import type * as Options from "../services/nsqd/options/NsqdOptions.ts"
import type { RuntimeOptions } from "../services/nsqd/options/RuntimeOptions.ts"
import type { Storage } from "../services/nsqd/storage/Storage.ts"
import { Nsqlookupd } from "../services/nsqlookupd/Nsqlookupd.ts"
import type * as LookupOptions from "../services/nsqlookupd/NsqlookupdOptions.ts"
import type { Registrations } from "../services/nsqlookupd/Registrations.ts"
import * as Chance from "./Chance.ts"
import * as ClusterNode from "./ClusterNode.ts"
import { FaultyDisk } from "./FaultyDisk.ts"
import { Idle } from "./Idle.ts"
import * as MemoryHttp from "./MemoryHttp.ts"
import * as MemoryTransport from "./MemoryTransport.ts"

export type { ClusterNode } from "./ClusterNode.ts"

/**
 * What an nsqd of the cluster gives out while it runs.
 *
 * @since 0.2.0
 * @category models
 */
export type NsqdServices = Nsqd | Broker | Publisher | Clients | Storage | RuntimeOptions

/**
 * A machine with an nsqd.
 *
 * @since 0.2.0
 * @category models
 */
export interface NsqdNode extends ClusterNode.ClusterNode<NsqdServices> {
  /** Its disk, on which faults can be set. The data directory is `/data`. */
  readonly disk: FaultyDisk["Service"]
}

/**
 * A machine with an nsqlookupd.
 *
 * @since 0.2.0
 * @category models
 */
export type NsqlookupdNode = ClusterNode.ClusterNode<Nsqlookupd | Registrations>

/**
 * The cluster to start with.
 *
 * @since 0.2.0
 * @category models
 */
export interface TestClusterOptions {
  /** The number of nsqd. Default: 1. */
  readonly nsqds?: number
  /** The number of nsqlookupd, at all of which each nsqd registers. Default: 1. */
  readonly nsqlookupds?: number
  /**
   * Decides everything random: ids of attempts, jitter, the cuts of what the network carries, and what a loss of power leaves.
   * Default: 1.
   */
  readonly seed?: number
  /** Options of all nsqd that differ from NSQ's defaults, for example `{ durability: "written" }`. Default: none. */
  readonly nsqd?: Options.Changes
  /** Options of all nsqlookupd that differ from NSQ's defaults. Default: none. */
  readonly nsqlookupd?: LookupOptions.Changes
  /** Receives the lines of the daemons' logs, each with the host of its daemon. Default: they are discarded. */
  readonly log?: (line: string) => void
}

/** A machine by its address, or as a node. */
type Machine = string | { readonly host: string }

const hostOf = (machine: Machine): string => typeof machine === "string" ? machine : machine.host

/** Limits for the requests of nsqd to nsqlookupd. */
const requestLimits = {
  httpClientRequestTimeout: Duration.seconds(5),
  maxDaemonResponseSize: 1024 * 1024,
  responseSizeOption: "fixed limit"
}

/** Long work yields only as the test configures it, so that the speed of the machine does not matter. */
const turns = Layer.effect(Turns, Effect.map(Turns, (given) => given === onEventLoop ? unlimited : given))

/** The network from the view of a machine; new for each start of its daemon. */
const networkOf = (network: MemoryTransport.MemoryNetwork["Service"], host: string): Layer.Layer<Transport> =>
  Layer.sync(Transport, () => network.machine(host))

/** The HTTP servers of a daemon on its network, and long work in one turn. */
const surroundings = (transport: Layer.Layer<Transport>) =>
  Layer.merge(MemoryHttp.layerServer.pipe(Layer.provide(transport)), turns)

/** nsqd without TLS, auth servers, statsd and OpenTelemetry, which need servers outside of the cluster. */
const nsqd = (
  disk: FaultyDisk["Service"],
  transport: Layer.Layer<Transport>,
  client: HttpClient.HttpClient,
  options: Options.Changes
) =>
  Nsqd.layerWith(options, {
    transport,
    disk: Layer.sync(Disk, disk.process),
    lock: false,
    lookup: LookupRegistration.layerNoDeps.pipe(
      Layer.provide(KnownLookupds.layer),
      Layer.provide(DaemonRequests.layer(requestLimits)),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
    ),
    tls: false,
    authorizer: false,
    otlp: false,
    statsd: false
  }).pipe(Layer.provide(surroundings(transport)))

const nsqlookupd = (transport: Layer.Layer<Transport>, options: LookupOptions.Changes) =>
  Nsqlookupd.layerWith(options, { transport }).pipe(Layer.provide(surroundings(transport)))

const at = <Node>(nodes: ReadonlyArray<Node>, kind: string) => (index: number): Node => {
  const node = nodes[index]
  if (node === undefined) throw new RangeError(`the cluster has ${nodes.length} ${kind}, not one with index ${index}`)
  return node
}

const make = Effect.fnUntraced(function*(options: TestClusterOptions) {
  const { log, seed = 1 } = options
  const network = yield* MemoryTransport.MemoryNetwork
  const scope = yield* Effect.scope
  const context = yield* Effect.context<MemoryTransport.MemoryNetwork | Idle>()
  const nsqds: Array<NsqdNode> = []
  const nsqlookupds: Array<NsqlookupdNode> = []

  const addNsqlookupd = Effect.fnUntraced(function*() {
    const host = `10.0.1.${nsqlookupds.length + 1}`
    const [tcpAddress, httpAddress] = [`${host}:4160`, `${host}:4161`]
    const node = yield* ClusterNode.make<Nsqlookupd | Registrations>({
      host,
      tcpAddress,
      httpAddress,
      seed: Chance.seedOf(seed, host),
      log,
      daemon: nsqlookupd(networkOf(network, host), {
        tcpAddress,
        httpAddress,
        broadcastAddress: host,
        ...options.nsqlookupd
      }),
      crash: () => {}
    })
    nsqlookupds.push(node)
    yield* node.start
    return node
  })

  const addNsqd = Effect.fnUntraced(function*(changed: Options.Changes = {}) {
    const host = `10.0.0.${nsqds.length + 1}`
    const [tcpAddress, httpAddress] = [`${host}:4150`, `${host}:4151`]
    const disk = Context.get(yield* Layer.build(Layer.fresh(FaultyDisk.layer)), FaultyDisk)
    const client = yield* MemoryHttp.makeClient((address) => network.machine(host).connect(address))
    const node = yield* ClusterNode.make<NsqdServices>({
      host,
      tcpAddress,
      httpAddress,
      seed: Chance.seedOf(seed, host),
      log,
      daemon: nsqd(disk, networkOf(network, host), client, {
        nodeId: nsqds.length,
        dataPath: "/data",
        tcpAddress,
        httpAddress,
        broadcastAddress: host,
        lookupdTcpAddresses: nsqlookupds.map((lookupd) => lookupd.tcpAddress),
        ...options.nsqd,
        ...changed
      }),
      crash: (how, fate) => how === "kill" ? disk.kill() : disk.losePower(fate)
    })
    const added: NsqdNode = { ...node, disk }
    nsqds.push(added)
    yield* node.start
    return added
  })

  for (let i = 0; i < (options.nsqlookupds ?? 1); i++) yield* addNsqlookupd()
  for (let i = 0; i < (options.nsqds ?? 1); i++) yield* addNsqd()

  const everyPair = (
    one: Machine,
    others: ReadonlyArray<Machine>,
    change: (one: string, other: string) => Effect.Effect<void>
  ) => Effect.forEach(others, (other) => change(hostOf(one), hostOf(other)), { discard: true })

  return TestCluster.of({
    seed,
    nsqds,
    nsqlookupds,
    nsqd: at(nsqds, "nsqd"),
    nsqlookupd: at(nsqlookupds, "nsqlookupd"),
    servers: { nsqd: nsqds.map(({ tcpAddress }) => tcpAddress) },
    lookup: { lookupd: nsqlookupds.map(({ httpAddress }) => httpAddress) },
    addNsqd: (changed) => addNsqd(changed).pipe(Effect.provideContext(context), Scope.provide(scope)),
    separate: (one, ...others) => everyPair(one, others, network.separate),
    reunite: (one, ...others) => everyPair(one, others, network.reunite)
  })
})

/**
 * A cluster in one process; see the head of the module.
 *
 * @since 0.2.0
 * @category services
 */
export class TestCluster extends Context.Service<TestCluster, {
  readonly seed: number
  /** The machines with nsqd, `10.0.0.1` and so on; `addNsqd` adds one. */
  readonly nsqds: ReadonlyArray<NsqdNode>
  /** The machines with nsqlookupd, `10.0.1.1` and so on. */
  readonly nsqlookupds: ReadonlyArray<NsqlookupdNode>
  /** Returns an nsqd by its index, from 0. Throws a `RangeError` for another index. */
  readonly nsqd: (index: number) => NsqdNode
  /** Returns an nsqlookupd by its index, from 0. Throws a `RangeError` for another index. */
  readonly nsqlookupd: (index: number) => NsqlookupdNode
  /** The nsqds at the start, as the servers of a Producer or Consumer. */
  readonly servers: { readonly nsqd: ReadonlyArray<string> }
  /** The nsqlookupds, as the servers of a Producer or Consumer. */
  readonly lookup: { readonly lookupd: ReadonlyArray<string> }
  /** Adds a machine, starts an nsqd on it, with further options, and registers it at the nsqlookupds. */
  readonly addNsqd: (options?: Options.Changes) => Effect.Effect<NsqdNode>
  /**
   * Separates a machine from others: what they send each other is lost, without an error, until `reunite`. The program under test
   * is on the machine `TestCluster.program`.
   */
  readonly separate: (one: Machine, ...others: ReadonlyArray<Machine>) => Effect.Effect<void>
  /** Ends separations. Connections that lost bytes are reset. */
  readonly reunite: (one: Machine, ...others: ReadonlyArray<Machine>) => Effect.Effect<void>
}>()("effect-nsq/testing/TestCluster") {
  /** The machine of the program under test. */
  static readonly program = "127.0.0.1"

  /** Starts a cluster, and provides its network to the program under test. Dies if a daemon cannot start. */
  static readonly layer = (
    options: TestClusterOptions = {}
  ): Layer.Layer<TestCluster | Transport | MemoryTransport.MemoryNetwork | HttpClient.HttpClient | Idle> =>
    Layer.effect(TestCluster, make(options)).pipe(
      Layer.provideMerge(MemoryHttp.layerClient),
      Layer.provideMerge(MemoryTransport.layerSeeded(Chance.seedOf(options.seed ?? 1, "network"))),
      Layer.provideMerge(Idle.layer)
    )
}
