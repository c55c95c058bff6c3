/**
 * A whole broker without files and sockets: storage and network in memory, time from the test's clock. Connect to it with
 * `ProtocolClient`, or publish and consume in process.
 */
import { Effect, Layer } from "effect"
import { DaemonState } from "../services/core/DaemonState.ts"
import { onEventLoop, Turns, unlimited } from "../services/core/Turns.ts"
import { Broker } from "../services/nsqd/broker/Broker.ts"
import { Clients } from "../services/nsqd/broker/Clients.ts"
import { Publisher } from "../services/nsqd/broker/Publisher.ts"
import { NsqdOptions } from "../services/nsqd/options/NsqdOptions.ts"
import { TcpServer } from "../services/nsqd/session/TcpServer.ts"
import { Storage } from "../services/nsqd/storage/Storage.ts"
import * as MemoryTransport from "./MemoryTransport.ts"

/** Where the broker listens on the in-memory network. */
export const address = "127.0.0.1:4150"

/** Options that differ from NSQ's defaults. */
const options = (changed: Partial<NsqdOptions>) =>
  Layer.effect(
    NsqdOptions,
    Effect.map(NsqdOptions, (defaults) => ({ ...defaults, nodeId: 0, tcpAddress: address, ...changed }))
  )

/** Long work waits only as a test says: how long something takes on the machine of the test has no part in it. */
const turns = Layer.effect(Turns, Effect.map(Turns, (given) => given === onEventLoop ? unlimited : given))

/** A broker on the storage of the environment, with the options that are given. */
export const layerNoStorage = (changed: Partial<NsqdOptions> = {}) =>
  TcpServer.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Broker.layer, Publisher.layer, Clients.layer)),
    Layer.provideMerge(MemoryTransport.layer),
    Layer.provide(DaemonState.layer),
    Layer.provideMerge(turns),
    Layer.provideMerge(options(changed))
  )

/** A broker that keeps everything in memory. */
export const layer = (changed: Partial<NsqdOptions> = {}) =>
  layerNoStorage(changed).pipe(Layer.provideMerge(Storage.layerMemory))
