/**
 * Stores for Effect's `PersistedQueue` and `DurableQueue` on NSQ: on a broker in this process, or on any nsqd over the network. Elements
 * are pushed to workers as they become available. See docs/persisted-queue.md for the guarantees.
 */
import { Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import { PersistedQueue } from "effect/persistence"
import type { Transport } from "../net/Transport.ts"
import type { Broker } from "../nsqd/broker/Broker.ts"
import type { Publisher } from "../nsqd/broker/Publisher.ts"
import * as BrokerLedger from "./BrokerLedger.ts"
import * as BrokerQueue from "./BrokerQueue.ts"
import * as ClientQueue from "./ClientQueue.ts"
import { QueueLedger } from "./QueueLedger.ts"
import * as QueueStore from "./QueueStore.ts"

export type { ClientQueueOptions } from "./ClientQueue.ts"

const defaultPrefix = "effectq."

/**
 * A store on the broker of the environment, with one store for each broker. Ids are kept by the broker, too. Elements and ids survive a
 * restart and a crash if their topics are durable: `Options.layer({ topicDurability: ["effectq.*=synced"] })`.
 *
 * ```ts
 * const Queues = PersistedQueue.layer.pipe(
 *   Layer.provide(NsqPersistedQueue.layerStoreBroker()),
 *   Layer.provide(MyBroker)
 * )
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerStoreBroker = (
  options: { readonly prefix?: string } = {}
): Layer.Layer<PersistedQueue.PersistedQueueStore, never, Broker | Publisher> => {
  const prefix = options.prefix ?? defaultPrefix
  return Layer.effect(
    PersistedQueue.PersistedQueueStore,
    Effect.gen(function*() {
      return yield* QueueStore.make(yield* BrokerQueue.makeBackend, yield* QueueLedger, prefix)
    })
  ).pipe(Layer.provide(BrokerLedger.layer(prefix)))
}

/**
 * A store on any nsqd. The ids are kept by a `QueueLedger`: `QueueLedger.layerMemory`, or `QueueLedger.layerKeyValueStore()` to keep them
 * over restarts and to share them with other processes.
 *
 * ```ts
 * const Queues = PersistedQueue.layer.pipe(
 *   Layer.provide(NsqPersistedQueue.layerStoreClient({ servers: { nsqd: ["127.0.0.1:4150"] } })),
 *   Layer.provide([NodeClient.layer, QueueLedger.layerMemory])
 * )
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerStoreClient = (
  options: ClientQueue.ClientQueueOptions
): Layer.Layer<PersistedQueue.PersistedQueueStore, never, Transport | HttpClient.HttpClient | QueueLedger> =>
  Layer.effect(
    PersistedQueue.PersistedQueueStore,
    Effect.gen(function*() {
      return yield* QueueStore.make(
        yield* ClientQueue.makeBackend(options),
        yield* QueueLedger,
        options.prefix ?? defaultPrefix
      )
    })
  )
