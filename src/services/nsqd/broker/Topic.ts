/**
 * A topic: stores published messages, in memory first and on disk if memory is full, and opens and deletes its
 * channels. `HandOver` hands every message to each of them while the topic is not paused.
 */
import { Effect, Exit, Scope } from "effect"
import { GuidGenerator } from "../../../protocol/client/Guid.ts"
import { MessageBatch, type PublishedBodies, recordHeaderSize } from "../../../protocol/client/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import type { Completion } from "../../core/Completion.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { BackendQueue } from "../storage/BackendQueue.ts"
import { Storage } from "../storage/Storage.ts"
import { type BrokerError, brokerError, BrokerErrorReason, writeFailure } from "./BrokerError.ts"
import { Channel, type ChannelSettings } from "./Channel.ts"
import { DeferredOnDisk } from "./DeferredOnDisk.ts"
import { flushFailed } from "./Flush.ts"
import { HandOver } from "./HandOver.ts"
import { countUnstored, MemoryQueue, storeInPieces } from "./MemoryQueue.ts"
import type { Surroundings } from "./Surroundings.ts"

/** The broker's settings for a topic and its channels. */
export interface TopicSettings extends ChannelSettings {
  /** From 0 to 1023; part of every message id. */
  readonly nodeId: number
}

/** Topics, and channels per topic, that are restored or closed concurrently: enough to keep a disk busy. */
export const queuesAtOnce = 8

interface OpenChannel {
  readonly channel: Channel
  readonly scope: Scope.Closeable
}

/**
 * A named stream of messages, each of which is copied to all channels of the topic. Its counters and depths can be read at
 * any time; `Broker` changes it.
 *
 * @since 0.1.0
 * @category models
 */
export class Topic {
  readonly name: TopicName
  readonly ephemeral: boolean
  private readonly settings: TopicSettings
  private readonly surroundings: Surroundings
  private readonly storage: Storage["Service"]
  private readonly backend: BackendQueue | undefined
  private readonly guids: GuidGenerator
  private readonly memory = new MemoryQueue()
  private readonly delays = new DeferredOnDisk()
  private readonly open = new Map<ChannelName, OpenChannel>()
  private readonly handOver: HandOver
  private started = false
  private isPaused = false
  private isExiting = false
  private messages = 0
  private bytes = 0

  private constructor(
    name: TopicName,
    settings: TopicSettings,
    surroundings: Surroundings,
    storage: Storage["Service"],
    backend: BackendQueue | undefined
  ) {
    this.name = name
    this.ephemeral = isEphemeral(name)
    this.settings = settings
    this.surroundings = surroundings
    this.storage = storage
    this.backend = backend
    this.guids = new GuidGenerator(settings.nodeId)
    this.handOver = new HandOver({
      label: `TOPIC(${name})`,
      memory: this.memory,
      backend,
      delays: this.delays,
      channels: () => this.channels,
      isPumping: () => this.isPumping,
      isExiting: () => this.isExiting
    }, surroundings)
  }

  /**
   * Opens a topic with the messages of its disk queue. It accepts messages at once and hands them over after `start`.
   * Closing the Scope stops it and its channels and writes messages in memory to disk.
   */
  static readonly make = Effect.fnUntraced(function*(
    name: TopicName,
    settings: TopicSettings,
    surroundings: Surroundings
  ) {
    const storage = yield* Storage
    const backend = isEphemeral(name) ? undefined : yield* storage.openQueue(name)
    const topic = new Topic(name, settings, surroundings, storage, backend)
    yield* Effect.addFinalizer(() => topic.close)
    return topic
  })

  // ---- statistics

  /** Messages that wait to be handed to the channels. */
  get depth(): number {
    return this.memory.count + this.backendDepth
  }
  get backendDepth(): number {
    return this.backend?.depth ?? 0
  }
  /** Number of published messages. */
  get messageCount(): number {
    return this.messages
  }
  /** Bytes of published bodies. */
  get messageBytes(): number {
    return this.bytes
  }
  /** A paused topic hands nothing to its channels. */
  get paused(): boolean {
    return this.isPaused
  }
  /** Whether the topic is being closed or deleted and refuses messages. */
  get exiting(): boolean {
    return this.isExiting
  }
  get channels(): ReadonlyArray<Channel> {
    return Array.from(this.open.values(), ({ channel }) => channel)
  }
  get hasChannels(): boolean {
    return this.open.size > 0
  }
  channel(name: string): Channel | undefined {
    return this.open.get(name as ChannelName)?.channel
  }

  // ---- publishing

  /**
   * Accepts published messages. `undefined` if that is done; otherwise the Effect that writes what did not fit into
   * memory to disk, which the publisher has to wait for.
   */
  put(bodies: PublishedBodies, deferMillis: number): Completion<BrokerError> {
    if (this.isExiting) return Effect.fail(brokerError(BrokerErrorReason.Exiting()))
    const refusal = this.storage.refusal()
    if (refusal !== undefined && !this.ephemeral) {
      return Effect.fail(brokerError(BrokerErrorReason.DiskFull({ description: refusal })))
    }
    const now = this.surroundings.time.wallNanos()
    const ids = this.guids.take(now, bodies.count)
    const room = this.settings.memQueueSize - this.memory.count
    const newest = deferMillis === 0 && bodies.count <= room ? this.memory.newest : undefined
    if (newest !== undefined && newest.batch.gather(bodies, now, ids)) {
      this.memory.extendNewest(bodies.count)
      this.count(bodies.count, bodies.bodyBytes)
      return undefined
    }
    const batch = (newest && MessageBatch.gathering(bodies, now, ids, newest.batch)) ??
      MessageBatch.published(bodies, now, ids, deferMillis)
    const taken = Math.max(0, Math.min(batch.count, room))
    if (taken > 0) {
      this.memory.push({ batch, index: 0, position: 0, end: taken })
      // Everything else that makes the topic pump also wakes it.
      if (this.isPumping) this.handOver.wake()
    }
    if (taken === batch.count) {
      this.count(batch.count, batch.bodyBytes)
      return undefined
    }
    return this.overflow(batch, taken)
  }

  private count(messages: number, bytes: number): void {
    this.messages += messages
    this.bytes += bytes
  }

  private overflow(batch: MessageBatch, taken: number): Completion<BrokerError> {
    if (this.handsOverDirectly(batch)) {
      this.count(batch.count, batch.bodyBytes)
      return this.handOver.direct(batch)
    }
    if (this.backend === undefined) {
      this.count(batch.count, batch.bodyBytes)
      return undefined
    }
    const records = batch.encodeRecords(taken, batch.count)
    const refusedBytes = records.end - records.start - records.count * recordHeaderSize
    return this.backend.append([records]).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          if (batch.deferMillis > 0) this.delays.add(records, batch.deferMillis)
          this.count(batch.count, batch.bodyBytes)
          this.handOver.wake()
        })
      ),
      Effect.mapError((error) => {
        this.count(taken, batch.bodyBytes - refusedBytes)
        return writeFailure(error, taken)
      })
    )
  }

  /**
   * A deferred message needs no room in a queue, and an ephemeral topic has no disk: such messages go directly to the
   * channels.
   */
  private handsOverDirectly(batch: MessageBatch): boolean {
    // Neither kind is ever split between memory and channels: memory has taken nothing of the batch.
    return this.isPumping && (batch.deferMillis > 0 || (this.ephemeral && this.settings.memQueueSize === 0))
  }

  // ---- channels

  /** Returns the channel; opens it with the messages of its disk queue if needed. The broker serializes the calls. */
  openChannel(name: ChannelName): Effect.Effect<Channel, StorageError> {
    return Effect.gen({ self: this }, function*() {
      const existing = this.open.get(name)
      if (existing !== undefined) return existing.channel
      const scope = yield* Scope.make()
      const channel = yield* Channel.make(this.name, name, this.settings, this.surroundings).pipe(
        Effect.provideService(Storage, this.storage),
        Scope.provide(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      this.open.set(name, { channel, scope })
      if (this.handOver.hasWork) this.handOver.wake()
      return channel
    })
  }

  /** Deletes a channel with its messages and disconnects its consumers. */
  deleteChannel(name: ChannelName): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const opened = this.open.get(name)
      if (opened === undefined) return Effect.void
      this.open.delete(name)
      return Effect.ensuring(opened.channel.delete, Scope.close(opened.scope, Exit.void))
    })
  }

  // ---- administration

  pause(): void {
    this.isPaused = true
  }

  unpause(): void {
    this.isPaused = false
    this.handOver.wake()
  }

  /** Refuses messages from now on; closing the Scope follows. */
  refuseMessages(): void {
    this.isExiting = true
  }

  /** Starts handing messages to the channels that exist by now. */
  start(): void {
    this.started = true
    if (this.handOver.hasWork) this.handOver.wake()
  }

  /** Drops the topic's waiting messages; its channels keep theirs. */
  get empty(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.memory.takeAll()
      this.delays.clear()
      return this.backend === undefined ? Effect.void : this.backend.empty
    })
  }

  /** Deletes the topic's channels and files. Closing its Scope follows. */
  get delete(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.isExiting = true
      this.memory.takeAll()
      return Effect.andThen(
        Effect.forEach(Array.from(this.open.keys()), (name) => this.deleteChannel(name), { discard: true }),
        this.backend === undefined ? Effect.void : this.backend.delete
      )
    })
  }

  private get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.isExiting = true
      yield* this.handOver.stop
      for (const { channel } of this.open.values()) channel.closeConsumers()
      yield* Effect.forEach(Array.from(this.open.values()), ({ scope }) => Scope.close(scope, Exit.void), {
        concurrency: queuesAtOnce,
        discard: true
      })
      const { backend } = this
      if (this.memory.count > 0 && backend !== undefined) {
        yield* Effect.logInfo(`TOPIC(${this.name}): flushing ${this.memory.count} memory messages to backend`)
        const spans = this.memory.takeAll()
        yield* storeInPieces(spans, (records) => backend.append(records), () => {}).pipe(
          Effect.catch(({ error, left }) =>
            flushFailed(`TOPIC(${this.name})`, { error, messages: countUnstored(left) })
          )
        )
      }
    })
  }

  /** Whether messages may be handed to the channels. */
  private get isPumping(): boolean {
    return this.started && !this.isPaused && !this.isExiting && this.open.size > 0
  }
}
