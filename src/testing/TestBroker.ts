/**
 * A complete broker without files and sockets: storage and network in memory, time from the TestClock. Connect to it with
 * `ProtocolClient`, or publish and consume in process.
 *
 * ```ts
 * it.effect("a test with a broker", () =>
 *   Effect.gen(function*() {
 *     const client = yield* ProtocolClient.connect(TestBroker.address)
 *   }).pipe(Effect.scoped, Effect.provide(TestBroker.layer())))
 * ```
 */
import { Effect, Layer } from "effect"
import { DaemonState } from "../services/core/DaemonState.ts"
import { onEventLoop, Turns, unlimited } from "../services/core/Turns.ts"
import { Broker } from "../services/nsqd/broker/Broker.ts"
import { Clients } from "../services/nsqd/broker/Clients.ts"
import { Publisher } from "../services/nsqd/broker/Publisher.ts"
import * as Options from "../services/nsqd/options/NsqdOptions.ts"
import { TcpServer } from "../services/nsqd/session/TcpServer.ts"
import { Storage } from "../services/nsqd/storage/Storage.ts"
import * as OptionTable from "../services/options/OptionTable.ts"
import { Idle } from "./Idle.ts"
import * as MemoryTransport from "./MemoryTransport.ts"

/**
 * Address of the broker on the in-memory network.
 *
 * @since 0.1.0
 * @category constants
 */
export const address = "127.0.0.1:4150"

const { NsqdOptions } = Options

/** Options that differ from NSQ's defaults. */
const options = (changed: Options.Changes) =>
  Layer.effect(
    NsqdOptions,
    Effect.map(
      NsqdOptions,
      (defaults) => OptionTable.change(Options.table, { ...defaults, nodeId: 0, tcpAddress: address }, changed)
    )
  )

/** Long work yields only as the test configures it, so that the speed of the machine does not matter. */
const turns = Layer.effect(Turns, Effect.map(Turns, (given) => given === onEventLoop ? unlimited : given))

/**
 * A broker with the given options on the storage of the environment.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNoStorage = (changed: Options.Changes = {}) =>
  TcpServer.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Publisher.layer, Clients.layer)),
    Layer.provideMerge(Broker.layer),
    Layer.provideMerge(MemoryTransport.layer),
    Layer.provide(DaemonState.layer),
    Layer.provideMerge(turns),
    Layer.provideMerge(options(changed)),
    Layer.provideMerge(Idle.layer)
  )

/**
 * A broker with the given options and storage in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (changed: Options.Changes = {}) =>
  layerNoStorage(changed).pipe(Layer.provideMerge(Storage.layerMemory), Layer.provideMerge(Idle.layer))
