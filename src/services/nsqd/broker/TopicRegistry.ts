/**
 * The open topics and channels of a broker: creates, finds and deletes them, one change at a time and within the
 * limits. Announces every change and has it recorded in the metadata.
 */
import { type Context, Effect, Exit, Fiber, PubSub, Scope, Semaphore } from "effect"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import { Wakeup } from "../../core/Wakeup.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Durability } from "../options/Durability.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import type { Policies } from "../policies/Policies.ts"
import { Storage } from "../storage/Storage.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import type { Channel } from "./Channel.ts"
import { ChannelDirectory } from "./ChannelDirectory.ts"
import * as Limits from "./Limits.ts"
import * as MetadataWriter from "./MetadataWriter.ts"
import { queuesAtOnce } from "./OpenChannels.ts"
import type { Surroundings } from "./Surroundings.ts"
import { Topic, type TopicSettings } from "./Topic.ts"
import type { TopicDurabilities } from "./TopicDurabilities.ts"
import type { TopologyEvent } from "./Topology.ts"

interface OpenTopic {
  readonly topic: Topic
  readonly scope: Scope.Closeable
}

/**
 * The registry of a broker's topics, for topics and channels with these settings. The broker restores and closes the
 * topics; the fibers that introduce new topics end with the Scope.
 */
export const make = Effect.fnUntraced(function*(
  settings: TopicSettings,
  durabilities: TopicDurabilities,
  policies: Pick<Policies["Service"], "forgetTopic" | "forgetChannel">,
  surroundings: Surroundings
) {
  const storage = yield* Storage
  const limits = Limits.make(yield* NsqdOptions)
  const directory = yield* ChannelDirectory
  const scope = yield* Effect.scope
  const topology = yield* PubSub.unbounded<TopologyEvent>()
  const open = new Map<string, OpenTopic>()
  /** Serializes changes, so that nothing is opened while it is being deleted. */
  const changes = yield* Semaphore.make(1)
  const ephemeralCreated = new Wakeup()

  const topics = (): ReadonlyArray<Topic> => Array.from(open.values(), ({ topic }) => topic)

  const metadata = MetadataWriter.make(storage, topics)

  const announce = (event: TopologyEvent): void => void PubSub.publishUnsafe(topology, event)

  const alone = <A, E>(effect: Effect.Effect<A, E>) => changes.withPermit(Effect.uninterruptible(effect))

  // ---- opening

  /** Topics and channels outlive the request that creates them and must not retain its context, such as its span. */
  const own = yield* Effect.context<never>()
  const owned = <A, E>(effect: Effect.Effect<A, E>) => Effect.updateContext(effect, (_: Context.Context<never>) => own)

  // Without spans of their own, because a start opens thousands.

  const openTopic = Effect.fnUntraced(function*(name: TopicName, channels: ReadonlyArray<ChannelName> = []) {
    const scope = yield* Scope.make()
    const topic = yield* metadata.create(
      [name],
      owned(
        Topic.make(name, channels, settings, surroundings).pipe(
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
    const channel = yield* metadata.create([topic.name, name], owned(topic.openChannel(name)))
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

  /** Creates the channels that a new topic has elsewhere. Messages published meanwhile wait in the topic. */
  const introduce = Effect.fnUntraced(function*(topic: Topic, elsewhere: Effect.Effect<ReadonlyArray<ChannelName>>) {
    for (const name of yield* elsewhere) {
      yield* alone(
        Effect.suspend(() =>
          open.get(topic.name)?.topic === topic ? Effect.asVoid(findOrOpenChannel(topic, name)) : Effect.void
        )
      ).pipe(
        // The limit has been logged already.
        Effect.catchTag("BrokerError", () => Effect.void),
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
    const elsewhere = directory.channelsOf(name)
    if (elsewhere === undefined) {
      topic.start()
      return { topic, introduced: Effect.void }
    }
    return { topic, introduced: Effect.asVoid(Fiber.await(yield* Effect.forkIn(introduce(topic, elsewhere), scope))) }
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
  ): Effect.Effect<Channel, BrokerError | StorageError> =>
    Effect.suspend(() => {
      const existing = open.get(topicName)?.topic.channel(name)
      if (existing !== undefined) return Effect.succeed(existing)
      const created = Effect.flatMap(
        findOrOpen(topicName),
        ({ introduced, topic }) => Effect.as(findOrOpenChannel(topic, name), introduced)
      )
      return Effect.andThen(Effect.flatten(alone(created)), channel(topicName, name))
    })

  // ---- deleting

  const closeTopic = Effect.fnUntraced(function*({ scope, topic }: OpenTopic) {
    yield* Effect.logInfo(`TOPIC(${topic.name}): deleting`)
    open.delete(topic.name)
    for (const { name } of topic.channels) announce({ _tag: "ChannelDeleted", topic: topic.name, channel: name })
    announce({ _tag: "TopicDeleted", topic: topic.name })
    yield* Effect.ensuring(topic.delete, Scope.close(scope, Exit.void))
    policies.forgetTopic(topic.name)
    yield* Effect.asVoid(durabilities.set(topic.name, undefined))
    metadata.noteChange(topic.name)
  })

  /** Deletes a channel, and an ephemeral topic with its last channel. */
  const closeChannel = Effect.fnUntraced(function*(opened: OpenTopic, name: ChannelName) {
    const { topic } = opened
    yield* Effect.logInfo(`TOPIC(${topic.name}): deleting channel ${name}`)
    announce({ _tag: "ChannelDeleted", topic: topic.name, channel: name })
    yield* topic.deleteChannel(name)
    policies.forgetChannel(topic.name, name)
    metadata.noteChange(topic.ephemeral ? topic.name : name)
    if (topic.ephemeral && topic.channels.length === 0) yield* closeTopic(opened)
  })

  /** A deleted topic must not come back after a restart: completes when nsqd.dat is written. */
  const deleteTopic = Effect.fn("Broker.deleteTopic")(function*(name: string) {
    yield* alone(Effect.suspend((): Effect.Effect<void, BrokerError | StorageError> => {
      const opened = open.get(name)
      return opened === undefined
        ? Effect.fail(brokerError(BrokerErrorReason.MissingTopic({ topic: name })))
        : closeTopic(opened)
    }))
    if (!isEphemeral(name)) yield* metadata.persist
  })

  const deleteChannel = Effect.fn("Broker.deleteChannel")(function*(topicName: string, name: string) {
    yield* alone(Effect.suspend((): Effect.Effect<void, BrokerError | StorageError> => {
      const opened = open.get(topicName)
      if (opened === undefined) return Effect.fail(brokerError(BrokerErrorReason.MissingTopic({ topic: topicName })))
      const found = opened.topic.channel(name)
      return found === undefined
        ? Effect.fail(brokerError(BrokerErrorReason.MissingChannel({ topic: topicName, channel: name })))
        : closeChannel(opened, found.name)
    }))
    if (!isEphemeral(topicName) && !isEphemeral(name)) yield* metadata.persist
  })

  /**
   * Changes the durability of a topic and remembers it; `undefined` gives it that of the options again. Nothing else changes
   * meanwhile. If it fails, nothing has changed.
   */
  const setDurability = Effect.fn("Broker.setDurability")(function*(name: string, durability: Durability | undefined) {
    return yield* alone(Effect.gen(function*() {
      const topic = open.get(name)?.topic
      if (topic === undefined) return yield* brokerError(BrokerErrorReason.MissingTopic({ topic: name }))
      const forget = yield* durabilities.set(name, topic.ephemeral ? undefined : durability)
      const { durability: before } = topic
      yield* Effect.onError(topic.setDurability(durabilities.of(name)), () => Effect.ignore(forget))
      if (topic.durability !== before) {
        yield* Effect.logInfo(`TOPIC(${name}): durability changed from ${before} to ${topic.durability}`)
      }
      return topic.durability
    }))
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

  /** Deletes an ephemeral channel that has lost its last consumer. */
  const deleteAbandoned = (channel: Channel): Effect.Effect<void> =>
    alone(Effect.suspend(() => {
      const opened = open.get(channel.topic)
      const abandoned = opened?.topic.channel(channel.name) === channel && channel.subscriptions.length === 0
      return opened !== undefined && abandoned ? closeChannel(opened, channel.name) : Effect.void
    })).pipe(
      Effect.catch((error) => Effect.logError(`CHANNEL(${channel.name}): failed to delete - ${error.message}`))
    )

  /** Closes all topics after `before`; nothing is created or deleted meanwhile. */
  const close = (before: Effect.Effect<void>): Effect.Effect<void> =>
    alone(Effect.gen(function*() {
      yield* before
      yield* Effect.logInfo("NSQ: closing topics")
      // Topics that are still waiting to be closed accept nothing more.
      for (const { topic } of open.values()) topic.refuseMessages()
      yield* Effect.forEach(Array.from(open.values()), ({ scope }) => Scope.close(scope, Exit.void), {
        concurrency: queuesAtOnce,
        discard: true
      })
    }))

  return {
    topics,
    /** Unbounded: a subscriber must keep up. */
    topology,
    metadata,
    findTopic: (name: string): Topic | undefined => open.get(name)?.topic,
    topic,
    channel,
    /** Opens a topic of the metadata, regardless of the limits. */
    openTopic,
    openChannel,
    deleteTopic,
    deleteChannel,
    setDurability,
    deleteUnused,
    deleteAbandoned,
    /** Called when an ephemeral topic is created. */
    ephemeralCreated,
    close
  }
})
