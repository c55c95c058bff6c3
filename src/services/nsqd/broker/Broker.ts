/**
 * The broker: the registry of topics, which creates, finds, pauses and deletes them. It restores the data directory's
 * topics at start and keeps the metadata file up to date. Messages do not pass through it: publishers and consumers
 * use Topic and Channel directly.
 */
import { Clock, Context, Duration, Effect, Exit, Fiber, Layer, PubSub, Scope, Semaphore } from "effect"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import { DaemonState } from "../../core/DaemonState.ts"
import { version } from "../../core/Version.ts"
import { Wakeup } from "../../core/Wakeup.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import type { StorageError } from "../storage/BackendQueue.ts"
import { Storage } from "../storage/Storage.ts"
import { retryStorage } from "./Backlog.ts"
import { ChannelNotFound, type LimitReached, MetadataError, type SubscribeError, TopicNotFound } from "./BrokerError.ts"
import type { Channel } from "./Channel.ts"
import { ChannelDirectory } from "./ChannelDirectory.ts"
import * as Limits from "./Limits.ts"
import * as Locality from "./Locality.ts"
import * as MetadataWriter from "./MetadataWriter.ts"
import { type LatencyPlan, makePlan } from "./ProcessingLatency.ts"
import { restore } from "./Restoring.ts"
import type { Consumer, Subscription, SubscriptionOptions } from "./Subscription.ts"
import * as Surroundings from "./Surroundings.ts"
import { queuesAtOnce, Topic, type TopicSettings } from "./Topic.ts"
import type { TopologyEvent } from "./Topology.ts"
import * as UnusedTopics from "./UnusedTopics.ts"

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
  /** Creations and deletions of topics and channels. Unbounded: a subscriber must keep up. */
  readonly topology: PubSub.PubSub<TopologyEvent>
  /** Makes every channel keep a histogram of its latencies from now on. */
  readonly keepLatencyHistograms: () => void
  readonly findTopic: (name: string) => Topic | undefined
  /** Returns the topic and creates it if needed; by then it has the channels that the `ChannelDirectory` lists. */
  readonly topic: (name: TopicName) => Effect.Effect<Topic, LimitReached | StorageError>
  readonly deleteTopic: (name: string) => Effect.Effect<void, TopicNotFound | StorageError>
  /** Returns the channel and creates it, and its topic, if needed. */
  readonly channel: (topic: TopicName, name: ChannelName) => Effect.Effect<Channel, LimitReached | StorageError>
  readonly deleteChannel: (
    topic: string,
    name: string
  ) => Effect.Effect<void, TopicNotFound | ChannelNotFound | StorageError>
  /** Pauses or unpauses a topic at once; completes when the metadata file is written. */
  readonly pauseTopic: (topic: Topic, paused: boolean) => Effect.Effect<void, StorageError>
  readonly pauseChannel: (channel: Channel, paused: boolean) => Effect.Effect<void, StorageError>
  /** Subscribes a consumer with a ready count of 0. It leaves when the Scope closes. */
  readonly subscribe: (
    topic: TopicName,
    channel: ChannelName,
    consumer: Consumer,
    options: SubscriptionOptions
  ) => Effect.Effect<Subscription, SubscribeError | LimitReached | StorageError, Scope.Scope>
}>()("effect-nsq/broker/Broker") {
  /**
   * A broker on the `Storage` of the environment, restored from its metadata. Fails if the metadata cannot be read or
   * written.
   */
  static readonly layer: Layer.Layer<Broker, MetadataError, Storage> = Layer.effect(
    Broker,
    Effect.suspend(() => make)
  )
}

interface OpenTopic {
  readonly topic: Topic
  readonly scope: Scope.Closeable
}

/** With more topics, nsqd.dat is written less often: 50 ms apart per thousand. */
const manyTopics = 1000

const settingsOf = (options: NsqdOptions, latency: LatencyPlan): TopicSettings => ({
  latency,
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
  const settings = settingsOf(options, latency)
  const limits = Limits.make(options)
  const directory = yield* ChannelDirectory
  const scope = yield* Effect.scope
  const topology = yield* PubSub.unbounded<TopologyEvent>()
  const startTime = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  const open = new Map<string, OpenTopic>()
  /** Serializes changes of the registry, so that nothing is opened while it is being deleted. */
  const registry = yield* Semaphore.make(1)
  const changed = new Wakeup()
  const ephemeralCreated = new Wakeup()
  let restored = false

  // ---- metadata

  const topics = (): ReadonlyArray<Topic> => Array.from(open.values(), ({ topic }) => topic)

  const persist = MetadataWriter.make(storage.saveMetadata(() => MetadataWriter.metadataOf(topics(), version)))

  const noteChange = (name: string): void => {
    if (restored && !isEphemeral(name)) changed.call()
  }

  const persistChanges = Effect.gen(function*() {
    while (true) {
      yield* changed.wait
      yield* Effect.retry(persist, retryStorage)
      // The journal has recent creations, so a long nsqd.dat need not be rewritten for each topic.
      if (open.size >= manyTopics) yield* Effect.sleep(open.size / 20)
    }
  })

  /** Records a creation durably against the end of the process, unless it is ephemeral or already recorded. */
  const create = <A, R>(
    names: readonly [TopicName, ...ReadonlyArray<ChannelName>],
    register: Effect.Effect<A, StorageError, R>
  ): Effect.Effect<A, StorageError, R> => {
    if (!restored || names.some(isEphemeral)) return register
    return Effect.ensuring(storage.recordCreation(names.join(":"), register), Effect.sync(() => changed.call()))
  }

  // ---- topics and channels

  const announce = (event: TopologyEvent): void => void PubSub.publishUnsafe(topology, event)

  /** Topics and channels outlive the request that creates them and must not retain its context, such as its span. */
  const own = yield* Effect.context<never>()
  const owned = <A, E>(effect: Effect.Effect<A, E>) => Effect.updateContext(effect, (_: Context.Context<never>) => own)

  // Without spans of their own, because a start opens thousands.

  const openTopic = Effect.fnUntraced(function*(name: TopicName) {
    const scope = yield* Scope.make()
    const topic = yield* create(
      [name],
      owned(
        Topic.make(name, settings, surroundings).pipe(
          Effect.provideService(Storage, storage),
          Scope.provide(scope),
          Effect.onError(() => Scope.close(scope, Exit.void)),
          Effect.tap((topic) => Effect.sync(() => open.set(name, { topic, scope })))
        )
      )
    )
    yield* Effect.logInfo(`TOPIC(${name}): created`)
    announce({ _tag: "TopicCreated", topic: name })
    if (topic.ephemeral) ephemeralCreated.call()
    return topic
  })

  const openChannel = Effect.fnUntraced(function*(topic: Topic, name: ChannelName) {
    const existing = topic.channel(name)
    if (existing !== undefined) return existing
    const channel = yield* create([topic.name, name], owned(topic.openChannel(name)))
    yield* Effect.logInfo(`TOPIC(${topic.name}): new channel(${name})`)
    announce({ _tag: "ChannelCreated", topic: topic.name, channel: name })
    return channel
  })

  /** Opens a requested channel, within the limits. */
  const findOrOpenChannel = (topic: Topic, name: ChannelName) =>
    Effect.suspend(() =>
      topic.channel(name) === undefined
        ? Effect.andThen(
          limits.oneMoreChannel(topic),
          Effect.withSpan(openChannel(topic, name), "Broker.openChannel")
        )
        : openChannel(topic, name)
    )

  const closeTopic = Effect.fnUntraced(function*({ scope, topic }: OpenTopic) {
    yield* Effect.logInfo(`TOPIC(${topic.name}): deleting`)
    open.delete(topic.name)
    for (const { name } of topic.channels) announce({ _tag: "ChannelDeleted", topic: topic.name, channel: name })
    announce({ _tag: "TopicDeleted", topic: topic.name })
    yield* Effect.ensuring(topic.delete, Scope.close(scope, Exit.void))
    noteChange(topic.name)
  })

  /** Deletes a channel, and an ephemeral topic with its last channel. */
  const closeChannel = Effect.fnUntraced(function*(opened: OpenTopic, name: ChannelName) {
    const { topic } = opened
    yield* Effect.logInfo(`TOPIC(${topic.name}): deleting channel ${name}`)
    announce({ _tag: "ChannelDeleted", topic: topic.name, channel: name })
    yield* topic.deleteChannel(name)
    noteChange(topic.ephemeral ? topic.name : name)
    if (topic.ephemeral && topic.channels.length === 0) yield* closeTopic(opened)
  })

  const alone = <A, E>(effect: Effect.Effect<A, E>) => registry.withPermit(Effect.uninterruptible(effect))

  /** Creates the channels that a new topic has elsewhere. Messages published meanwhile wait in the topic. */
  const introduce = Effect.fnUntraced(function*(topic: Topic, asked: Effect.Effect<ReadonlyArray<ChannelName>>) {
    for (const name of yield* asked) {
      yield* alone(
        Effect.suspend(() =>
          open.get(topic.name)?.topic === topic ? Effect.asVoid(findOrOpenChannel(topic, name)) : Effect.void
        )
      ).pipe(
        // The limit has been logged already.
        Effect.catchTag("LimitReached", () => Effect.void),
        Effect.catch((error) => Effect.logError(`TOPIC(${topic.name}): failed to create ${name} - ${error.message}`))
      )
    }
    topic.start()
  })

  /**
   * Returns the topic, and an Effect that completes when it delivers messages. Does not end with the caller's
   * interruption, because others may wait for it too.
   */
  const findOrOpen = Effect.fnUntraced(function*(name: TopicName) {
    const existing = open.get(name)
    if (existing !== undefined) return { topic: existing.topic, introduced: Effect.void }
    yield* limits.oneMoreTopic(open.size)
    const topic = yield* Effect.withSpan(openTopic(name), "Broker.openTopic")
    const asked = directory.channelsOf(name)
    if (asked === undefined) {
      topic.start()
      return { topic, introduced: Effect.void }
    }
    return { topic, introduced: Effect.asVoid(Fiber.await(yield* Effect.forkIn(introduce(topic, asked), scope))) }
  })

  const topic = (name: TopicName) =>
    Effect.suspend(() => {
      const existing = open.get(name)
      return existing === undefined
        ? Effect.flatMap(alone(findOrOpen(name)), ({ introduced, topic }) => Effect.as(introduced, topic))
        : Effect.succeed(existing.topic)
    })

  /** Synchronous for an existing channel, so that it cannot be deleted before the caller uses it. */
  const channel = (
    topicName: TopicName,
    name: ChannelName
  ): Effect.Effect<Channel, LimitReached | StorageError> =>
    Effect.suspend(() => {
      const existing = open.get(topicName)?.topic.channel(name)
      if (existing !== undefined) return Effect.succeed(existing)
      const created = Effect.flatMap(
        findOrOpen(topicName),
        ({ introduced, topic }) => Effect.as(findOrOpenChannel(topic, name), introduced)
      )
      return Effect.andThen(Effect.flatten(alone(created)), channel(topicName, name))
    })

  /** A deleted topic must not come back after a restart: completes when nsqd.dat is written. */
  const deleteTopic = Effect.fn("Broker.deleteTopic")(function*(name: string) {
    yield* alone(Effect.suspend((): Effect.Effect<void, TopicNotFound | StorageError> => {
      const opened = open.get(name)
      return opened === undefined ? Effect.fail(new TopicNotFound({ topic: name })) : closeTopic(opened)
    }))
    if (!isEphemeral(name)) yield* persist
  })

  const deleteChannel = Effect.fn("Broker.deleteChannel")(function*(topicName: string, name: string) {
    yield* alone(Effect.suspend((): Effect.Effect<void, TopicNotFound | ChannelNotFound | StorageError> => {
      const opened = open.get(topicName)
      if (opened === undefined) return Effect.fail(new TopicNotFound({ topic: topicName }))
      const found = opened.topic.channel(name)
      return found === undefined
        ? Effect.fail(new ChannelNotFound({ topic: topicName, channel: name }))
        : closeChannel(opened, found.name)
    }))
    if (!isEphemeral(topicName) && !isEphemeral(name)) yield* persist
  })

  /** Removes the topic from the registry at once, so that the next publish creates a new one. */
  const deleteUnused = (topic: Topic, isStillUnused: () => boolean): Effect.Effect<void> =>
    alone(Effect.suspend(() => {
      const opened = open.get(topic.name)
      if (opened?.topic !== topic || !isStillUnused()) return Effect.void
      open.delete(topic.name)
      topic.refuseMessages()
      return closeTopic(opened)
    })).pipe(Effect.catch((error) => Effect.logError(`TOPIC(${topic.name}): failed to delete - ${error.message}`)))

  const pauseTopic = Effect.fn("Broker.pauseTopic")(function*(topic: Topic, paused: boolean) {
    if (paused) topic.pause()
    else topic.unpause()
    yield* persist
  })

  const pauseChannel = Effect.fn("Broker.pauseChannel")(function*(channel: Channel, paused: boolean) {
    if (paused) channel.pause()
    else channel.unpause()
    yield* persist
  })

  // ---- consumers

  /** Unsubscribes, and deletes an ephemeral channel with its last consumer. */
  const leave = (channel: Channel, subscription: Subscription): Effect.Effect<void> =>
    Effect.suspend(() => {
      channel.unsubscribe(subscription)
      if (!channel.ephemeral || channel.exiting || channel.subscriptions.length > 0) return Effect.void
      return alone(Effect.suspend(() => {
        const opened = open.get(channel.topic)
        const abandoned = opened?.topic.channel(channel.name) === channel && channel.subscriptions.length === 0
        return opened !== undefined && abandoned ? closeChannel(opened, channel.name) : Effect.void
      })).pipe(
        Effect.catch((error) => Effect.logError(`CHANNEL(${channel.name}): failed to delete - ${error.message}`))
      )
    })

  const subscribe = (
    topicName: TopicName,
    channelName: ChannelName,
    consumer: Consumer,
    options: SubscriptionOptions
  ) =>
    Effect.acquireRelease(
      Effect.flatMap(channel(topicName, channelName), (found) =>
        // Nothing can run between finding the channel and subscribing, so NSQ's retry for a channel being deleted is
        // not needed.
        Effect.map(Effect.fromResult(found.subscribe(consumer, options)), (subscription) => ({ found, subscription }))),
      ({ found, subscription }) => leave(found, subscription)
    ).pipe(
      Effect.map(({ subscription }) => subscription),
      Effect.withSpan("Broker.subscribe", { attributes: { topic: topicName, channel: channelName } })
    )

  // ---- start and stop

  /**
   * Detects a read-only data directory before anything is accepted. A full disk does not prevent the start: consumers
   * can read its messages, which frees space, and nsqd.dat is written as soon as there is some.
   */
  const persistFirst = Effect.catch(persist, (error) => {
    if (!error.isFull) return Effect.fail(new MetadataError({ action: "persist", reason: error.message }))
    changed.call()
    return Effect.void
  })

  const stop = Effect.gen(function*() {
    yield* storage.prepareStop
    // After a failed restore, metadata that could not be read must not be overwritten.
    if (restored) {
      yield* Effect.logInfo("NSQ: persisting topic/channel metadata")
      yield* Effect.catch(persist, () => DaemonState.lose)
    }
    yield* Effect.logInfo("NSQ: closing topics")
    // Topics that are still waiting to be closed accept nothing more.
    for (const { topic } of open.values()) topic.refuseMessages()
    yield* Effect.forEach(Array.from(open.values()), ({ scope }) => Scope.close(scope, Exit.void), {
      concurrency: queuesAtOnce,
      discard: true
    })
  })

  yield* Effect.addFinalizer(() => alone(stop))
  yield* restore(storage, { openTopic, openChannel })
  yield* persistFirst
  restored = true
  yield* Effect.forkScoped(persistChanges)
  yield* Effect.forkScoped(UnusedTopics.run(options, time, { created: ephemeralCreated, topics, deleteUnused }))

  return Broker.of({
    startTime,
    topology,
    topics,
    keepLatencyHistograms: () => void (latency.histograms = true),
    findTopic: (name) => open.get(name)?.topic,
    topic,
    deleteTopic,
    channel,
    deleteChannel,
    pauseTopic,
    pauseChannel,
    subscribe
  })
})
