/**
 * The broker: restores the data directory's topics at start, offers `TopicRegistry` and subscriptions as a service, and
 * closes the topics at stop. Messages do not pass through it: publishers and consumers use Topic and Channel directly.
 */
import { Clock, Context, Duration, Effect, Layer, PubSub, type Scope } from "effect"
import type { ChannelName, TopicName } from "../../../protocol/client/Names.ts"
import { DaemonState } from "../../core/DaemonState.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { type Durability, durabilityOf as rulesOf } from "../options/Durability.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { Policies } from "../policies/Policies.ts"
import { Storage } from "../storage/Storage.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import type { Channel } from "./Channel.ts"
import { ClientRates } from "./ClientRates.ts"
import * as Drain from "./Drain.ts"
import * as Locality from "./Locality.ts"
import * as PolicySweeps from "./PolicySweeps.ts"
import { type LatencyPlan, makePlan } from "./ProcessingLatency.ts"
import { restore } from "./Restoring.ts"
import type { Consumer, Subscription, SubscriptionOptions } from "./Subscription.ts"
import * as Surroundings from "./Surroundings.ts"
import type { Topic, TopicSettings } from "./Topic.ts"
import * as TopicDurabilities from "./TopicDurabilities.ts"
import * as TopicRegistry from "./TopicRegistry.ts"
import type { TopologyEvent } from "./Topology.ts"
import * as UnusedTopics from "./UnusedTopics.ts"

/** The failure to read what the storage remembers. */
const notLoaded = ({ message: description }: StorageError): BrokerError =>
  brokerError(BrokerErrorReason.MetadataFailure({ action: "load", description }))

/**
 * The registry of topics and channels. Creates, finds, pauses and deletes them, and adds consumers to channels.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const broker = yield* Broker
 *   const channel = yield* broker.channel(TopicName.make("orders"), ChannelName.make("billing"))
 *   return channel.depth
 * })
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Broker extends Context.Service<Broker, {
  /** In Unix seconds. */
  readonly startTime: number
  readonly topics: () => ReadonlyArray<Topic>
  /** Refuses publishes until the queues are empty. A `Publisher` that does not use the standard one has to check it itself. */
  readonly drain: Drain.Drain
  /** The limit of publishes of single clients, which the listeners apply before a `Publisher`. */
  readonly clientRates: ClientRates
  /** Creations and deletions of topics and channels, and what a drain withdraws. Unbounded: a subscriber must keep up. */
  readonly topology: PubSub.PubSub<TopologyEvent>
  /** Makes every channel keep a histogram of its latencies from now on. */
  readonly keepLatencyHistograms: () => void
  readonly findTopic: (name: string) => Topic | undefined
  /**
   * Returns the topic and creates it if needed; by then it has the channels that the `ChannelDirectory` lists. Fails with the
   * reason `TopicLimit`.
   */
  readonly topic: (name: TopicName) => Effect.Effect<Topic, BrokerError | StorageError>
  /** Fails with the reason `MissingTopic`. */
  readonly deleteTopic: (name: string) => Effect.Effect<void, BrokerError | StorageError>
  /**
   * Returns the channel and creates it, and its topic, if needed. Fails with the reasons `TopicLimit` and `ChannelLimit`.
   */
  readonly channel: (topic: TopicName, name: ChannelName) => Effect.Effect<Channel, BrokerError | StorageError>
  /** Fails with the reasons `MissingTopic` and `MissingChannel`. */
  readonly deleteChannel: (
    topic: string,
    name: string
  ) => Effect.Effect<void, BrokerError | StorageError>
  /**
   * Changes the durability of a topic, moves its messages, and remembers it over restarts; `undefined` gives it that of the options
   * again. Messages in flight return, consumers stay subscribed, and publishers wait. Returns the durability. Fails with the
   * reason `MissingTopic`.
   */
  readonly setDurability: (
    topic: string,
    durability: Durability | undefined
  ) => Effect.Effect<Durability, BrokerError | StorageError>
  /** Pauses or unpauses a topic at once; completes when the metadata file is written. */
  readonly pauseTopic: (topic: Topic, paused: boolean) => Effect.Effect<void, StorageError>
  readonly pauseChannel: (channel: Channel, paused: boolean) => Effect.Effect<void, StorageError>
  /**
   * Subscribes a consumer with a ready count of 0. It leaves when the Scope closes. Fails with the reasons `TopicLimit`,
   * `ChannelLimit`, `ConsumerLimit` and `Exiting`.
   */
  readonly subscribe: (
    topic: TopicName,
    channel: ChannelName,
    consumer: Consumer,
    options: SubscriptionOptions
  ) => Effect.Effect<Subscription, BrokerError | StorageError, Scope.Scope>
}>()("effect-nsq/broker/Broker") {
  /**
   * A broker on the `Storage` of the environment, restored from its metadata, and its policies. Fails if the metadata or the
   * policies cannot be read or written.
   */
  static readonly layer: Layer.Layer<Broker | Policies, BrokerError, Storage> = Layer.effect(
    Broker,
    Effect.suspend(() => make)
  ).pipe(Layer.provideMerge(Layer.effect(Policies, Effect.mapError(Effect.suspend(() => Policies.make), notLoaded))))
}

const settingsOf = (
  options: NsqdOptions,
  latency: LatencyPlan,
  durabilityOf: (topic: string) => Durability,
  policies: Policies["Service"]
): TopicSettings => ({
  latency,
  durabilityOf,
  policies,
  nodeId: options.nodeId,
  memQueueSize: options.memQueueSize,
  maxMsgTimeout: Duration.toMillis(options.maxMsgTimeout),
  maxChannelConsumers: options.maxChannelConsumers,
  requeueOnDisconnect: options.requeueOnDisconnect,
  topologyAware: Locality.isAware(options)
})

const make = Effect.gen(function*() {
  const storage = yield* Storage
  const options = yield* NsqdOptions
  const surroundings = yield* Surroundings.make
  const { time } = surroundings
  const latency = yield* makePlan(options, time)
  // The daemon has checked the rules by now; in another program a wrong one is a defect.
  const ofOptions = yield* Effect.orDie(Effect.fromResult(rulesOf(options)))
  const durabilities = yield* Effect.mapError(TopicDurabilities.make(storage, ofOptions), notLoaded)
  const policies = yield* Policies
  const registry = yield* TopicRegistry.make(
    settingsOf(options, latency, durabilities.of, policies),
    durabilities,
    policies,
    surroundings
  )
  const { metadata } = registry
  surroundings.deadLetters.use({ ...registry, hasLogs: storage.hasLogs === true })
  const startTime = Math.floor((yield* Clock.currentTimeMillis) / 1000)

  const pauseTopic = Effect.fn("Broker.pauseTopic")(function*(topic: Topic, paused: boolean) {
    if (paused) topic.pause()
    else topic.unpause()
    yield* metadata.persist
  })

  const pauseChannel = Effect.fn("Broker.pauseChannel")(function*(channel: Channel, paused: boolean) {
    if (paused) channel.pause()
    else channel.unpause()
    yield* metadata.persist
  })

  // ---- consumers

  /** Unsubscribes, and deletes an ephemeral channel with its last consumer. */
  const leave = (channel: Channel, subscription: Subscription): Effect.Effect<void> =>
    Effect.suspend(() => {
      channel.unsubscribe(subscription)
      if (!channel.ephemeral || channel.exiting || channel.subscriptions.length > 0) return Effect.void
      return registry.deleteAbandoned(channel)
    })

  const subscribe = (
    topicName: TopicName,
    channelName: ChannelName,
    consumer: Consumer,
    options: SubscriptionOptions
  ) =>
    Effect.flatMap(registry.channel(topicName, channelName), (found) =>
      // Nothing can run between finding the channel and subscribing, so NSQ's retry for a channel being deleted is not needed.
      Effect.map(Effect.fromResult(found.subscribe(consumer, options)), (subscription) => ({ found, subscription })))
      .pipe(
        Effect.withSpan("Broker.subscribe", { attributes: { topic: topicName, channel: channelName } }),
        // Outside of the span, which the finalizer would keep for as long as the client is connected.
        Effect.flatMap(({ found, subscription }) =>
          Effect.as(Effect.addFinalizer(() => leave(found, subscription)), subscription)
        ),
        Effect.uninterruptible
      )

  const drain = yield* Drain.make(
    time,
    registry.topics,
    (event) => void PubSub.publishUnsafe(registry.topology, event)
  )

  // ---- start and stop

  /**
   * Detects a read-only data directory before anything is accepted. A full disk does not prevent the start: consumers
   * can read its messages, which frees space, and nsqd.dat is written as soon as there is some.
   */
  const persistFirst = Effect.catch(metadata.persist, (error) => {
    if (!error.isFull) {
      return Effect.fail(
        brokerError(BrokerErrorReason.MetadataFailure({ action: "persist", description: error.message }))
      )
    }
    metadata.persistSoon()
    return Effect.void
  })

  const persistLast = Effect.gen(function*() {
    yield* storage.prepareStop
    // After a failed restore, metadata that could not be read must not be overwritten.
    if (!metadata.isStarted()) return
    yield* Effect.logInfo("NSQ: persisting topic/channel metadata")
    yield* Effect.catch(metadata.persist, () => DaemonState.lose)
  })

  yield* Effect.addFinalizer(() => registry.close(persistLast))
  yield* restore(storage, registry)
  yield* persistFirst
  yield* metadata.start
  yield* Effect.forkScoped(UnusedTopics.run(options, time, registry))
  yield* PolicySweeps.fork(registry.topics, policies, surroundings.headersSeen)

  return Broker.of({
    startTime,
    drain,
    clientRates: new ClientRates(policies, registry.findTopic, time),
    topology: registry.topology,
    topics: registry.topics,
    keepLatencyHistograms: () => void (latency.histograms = true),
    findTopic: registry.findTopic,
    topic: registry.topic,
    deleteTopic: registry.deleteTopic,
    channel: registry.channel,
    deleteChannel: registry.deleteChannel,
    setDurability: registry.setDurability,
    pauseTopic,
    pauseChannel,
    subscribe
  })
})
