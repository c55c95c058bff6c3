/**
 * A topic's messages as NSQ keeps them: in memory first and in a disk queue if memory is full. `HandOver` hands every message to
 * each channel while the topic is not paused.
 */
import { Effect } from "effect"
import { GuidGenerator } from "../../../protocol/client/Guid.ts"
import { MessageBatch, type PublishedBodies, recordHeaderSize } from "../../../protocol/client/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import type { Completion } from "../../core/Completion.ts"
import type { Time } from "../../core/Time.ts"
import type { BackendQueue } from "../storage/BackendQueue.ts"
import { Storage } from "../storage/Storage.ts"
import { Backlog } from "./Backlog.ts"
import { type BrokerError, writeFailure } from "./BrokerError.ts"
import { DeferredOnDisk } from "./DeferredOnDisk.ts"
import { flushFailed } from "./Flush.ts"
import { HandOver } from "./HandOver.ts"
import { countUnstored, MemoryQueue, storeInPieces } from "./MemoryQueue.ts"
import type { Surroundings } from "./Surroundings.ts"
import type { MakeBacklog, QueueOwner, TopicQueue } from "./TopicQueue.ts"

/** The settings of a queue. */
export interface MemoryTopicSettings {
  /** From 0 to 1023; part of every message id. */
  readonly nodeId: number
  /** Messages in memory, for the topic and for each channel. */
  readonly memQueueSize: number
}

export class MemoryTopicQueue implements TopicQueue {
  readonly channelNames: ReadonlyArray<string> = []
  private readonly topic: TopicName
  private readonly ephemeral: boolean
  private readonly settings: MemoryTopicSettings
  private readonly time: Time
  private readonly storage: Storage["Service"]
  private readonly backend: BackendQueue | undefined
  private readonly owner: QueueOwner
  private readonly guids: GuidGenerator
  private readonly memory = new MemoryQueue()
  private readonly delays = new DeferredOnDisk()
  private readonly handOver: HandOver

  private constructor(
    topic: TopicName,
    settings: MemoryTopicSettings,
    surroundings: Surroundings,
    storage: Storage["Service"],
    backend: BackendQueue | undefined,
    owner: QueueOwner
  ) {
    this.topic = topic
    this.ephemeral = isEphemeral(topic)
    this.settings = settings
    this.time = surroundings.time
    this.storage = storage
    this.backend = backend
    this.owner = owner
    this.guids = new GuidGenerator(settings.nodeId)
    this.handOver = new HandOver({ ...owner, memory: this.memory, backend, delays: this.delays }, surroundings)
  }

  /** Opens a queue with the messages of its disk queue. */
  static readonly open = Effect.fnUntraced(function*(
    topic: TopicName,
    settings: MemoryTopicSettings,
    surroundings: Surroundings,
    owner: QueueOwner
  ) {
    const storage = yield* Storage
    const backend = isEphemeral(topic) ? undefined : yield* storage.openQueue(topic)
    return new MemoryTopicQueue(topic, settings, surroundings, storage, backend, owner)
  })

  get depth(): number {
    return this.memory.count + this.backendDepth
  }
  get backendDepth(): number {
    return this.backend?.depth ?? 0
  }

  // ---- publishing

  put(bodies: PublishedBodies, deferMillis: number): Completion<BrokerError> {
    const now = this.time.wallNanos()
    const ids = this.guids.take(now, bodies.count)
    const room = this.settings.memQueueSize - this.memory.count
    const newest = deferMillis === 0 && bodies.count <= room ? this.memory.newest : undefined
    if (newest !== undefined && newest.batch.gather(bodies, now, ids)) {
      this.memory.extendNewest(bodies.count)
      this.owner.count(bodies.count, bodies.bodyBytes)
      return undefined
    }
    const batch = (newest && MessageBatch.gathering(bodies, now, ids, newest.batch)) ??
      MessageBatch.published(bodies, now, ids, deferMillis)
    const taken = Math.max(0, Math.min(batch.count, room))
    if (taken > 0) {
      this.memory.push({ batch, index: 0, position: 0, end: taken })
      // Everything else that makes the topic pump also wakes it.
      if (this.owner.isPumping()) this.handOver.wake()
    }
    if (taken === batch.count) {
      this.owner.count(batch.count, batch.bodyBytes)
      return undefined
    }
    return this.overflow(batch, taken)
  }

  private overflow(batch: MessageBatch, taken: number): Completion<BrokerError> {
    if (this.handsOverDirectly(batch)) {
      this.owner.count(batch.count, batch.bodyBytes)
      return this.handOver.direct(batch)
    }
    if (this.backend === undefined) {
      this.owner.count(batch.count, batch.bodyBytes)
      return undefined
    }
    const records = batch.encodeRecords(taken, batch.count)
    const refusedBytes = records.end - records.start - records.count * recordHeaderSize
    return this.backend.append([records]).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          if (batch.deferMillis > 0) this.delays.add(records, batch.deferMillis)
          this.owner.count(batch.count, batch.bodyBytes)
          this.handOver.wake()
        })
      ),
      Effect.mapError((error) => {
        this.owner.count(taken, batch.bodyBytes - refusedBytes)
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
    return this.owner.isPumping() && (batch.deferMillis > 0 || (this.ephemeral && this.settings.memQueueSize === 0))
  }

  // ---- channels

  openChannel(name: ChannelName) {
    const { settings: { memQueueSize }, storage, topic } = this
    const opened = isEphemeral(name) ? Effect.undefined : storage.openQueue(`${topic}:${name}`)
    return Effect.map(
      opened,
      (backend): MakeBacklog => (label, worker) => new Backlog(label, memQueueSize, backend, worker)
    )
  }

  wake(): void {
    if (this.handOver.hasWork) this.handOver.wake()
  }

  /** The messages wait here anyway. */
  hold(): void {}

  // ---- emptying and closing

  get empty() {
    return Effect.suspend(() => {
      this.memory.takeAll()
      this.delays.clear()
      return this.backend === undefined ? Effect.void : this.backend.empty
    })
  }

  get delete() {
    return Effect.suspend(() => {
      this.memory.takeAll()
      return this.backend === undefined ? Effect.void : this.backend.delete
    })
  }

  get stop(): Effect.Effect<void> {
    return this.handOver.stop
  }

  get flush(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { backend, owner: { label } } = this
      if (this.memory.count === 0 || backend === undefined) return
      yield* Effect.logInfo(`${label}: flushing ${this.memory.count} memory messages to backend`)
      const spans = this.memory.takeAll()
      yield* storeInPieces(spans, (records) => backend.append(records), () => {}).pipe(
        Effect.catch(({ error, left }) => flushFailed(label, { error, messages: countUnstored(left) }))
      )
    })
  }
}
