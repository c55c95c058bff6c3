/**
 * A topic's messages as NSQ keeps them: in memory first and in a disk queue if memory is full. `HandOver` hands every message to
 * each channel while the topic is not paused.
 */
import { Effect } from "effect"
import { MessageBatch, type PublishedBodies, recordHeaderSize } from "../../../protocol/client/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import type { Completion } from "../../core/Completion.ts"
import { type Time, wallOrigin } from "../../core/Time.ts"
import type { BackendQueue } from "../storage/BackendQueue.ts"
import { Storage } from "../storage/Storage.ts"
import { oldestIn } from "./AgeLimit.ts"
import { Backlog, type MemoryPlaces } from "./Backlog.ts"
import { type BrokerError, writeFailure } from "./BrokerError.ts"
import { batchOf, type Carried, delayed, type Handover, losesHeaders, nothing } from "./Carried.ts"
import { DeferredOnDisk } from "./DeferredOnDisk.ts"
import { flushFailed } from "./Flush.ts"
import { HandOver } from "./HandOver.ts"
import { countUnstored, MemoryQueue, storeInPieces, wholeBatch } from "./MemoryQueue.ts"
import { type MovedOut, noneMoved, outOfLog } from "./Moving.ts"
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
  readonly log = undefined
  /** Those of the log that was moved into the disk queues. */
  readonly channelNames: ReadonlyArray<string>
  private readonly topic: TopicName
  private readonly ephemeral: boolean
  private readonly settings: MemoryTopicSettings
  private readonly time: Time
  private readonly storage: Storage["Service"]
  private readonly backend: BackendQueue | undefined
  private readonly owner: QueueOwner
  private readonly memory = new MemoryQueue()
  private readonly delays = new DeferredOnDisk()
  private readonly handOver: HandOver
  private readonly carried: Map<string, Carried>
  /** Messages on disk from before this time count as accepted then, in ms since the Unix epoch: they are not read. */
  private readonly openedAt: number
  oldest = Infinity
  /** Messages that the disk queues of the topic and its channels had when they were opened, and the bytes of their bodies. */
  private readonly before = { messages: 0, bytes: 0 }

  private constructor(
    topic: TopicName,
    settings: MemoryTopicSettings,
    surroundings: Surroundings,
    storage: Storage["Service"],
    backend: BackendQueue | undefined,
    owner: QueueOwner,
    moved: MovedOut
  ) {
    this.topic = topic
    this.ephemeral = isEphemeral(topic)
    this.settings = settings
    this.time = surroundings.time
    this.storage = storage
    this.backend = backend
    this.owner = owner
    this.channelNames = moved.channels
    this.carried = new Map(moved.carried)
    this.openedAt = Number(this.time.wallNanos() / 1_000_000n)
    this.noteSize(backend)
    const { refusal } = storage
    this.handOver = new HandOver({ ...owner, memory: this.memory, backend, delays: this.delays, refusal }, surroundings)
  }

  /** Opens a queue with the messages of its disk queue, and moves those of the topic's log into it. */
  static readonly open = Effect.fnUntraced(function*(
    topic: TopicName,
    settings: MemoryTopicSettings,
    surroundings: Surroundings,
    owner: QueueOwner,
    { carried, own }: Handover
  ) {
    const storage = yield* Storage
    if (isEphemeral(topic)) {
      return new MemoryTopicQueue(topic, settings, surroundings, storage, undefined, owner, noneMoved)
    }
    const moved = yield* outOfLog(topic)
    const backend = yield* storage.openQueue(topic)
    const queue = new MemoryTopicQueue(topic, settings, surroundings, storage, backend, owner, {
      ...moved,
      carried: new Map([...carried, ...moved.carried])
    })
    queue.receive(own)
    queue.receive(moved.own)
    return queue
  })

  private receive({ deferred, waiting }: Carried): void {
    for (const batch of waiting) this.memory.push(wholeBatch(batch))
    const now = Number(this.time.wallNanos() / 1_000_000n)
    for (const { batch, due } of deferred) {
      this.memory.push(wholeBatch(delayed(batch.encodeRecords(0, 1), due - now)))
    }
  }

  private noteSize(backend: BackendQueue | undefined): void {
    if (backend?.bytes === undefined) return
    this.before.messages += backend.depth
    this.before.bytes += Math.max(0, backend.bytes - backend.depth * recordHeaderSize)
  }

  get meanBytes(): number | undefined {
    const { bytes, messages } = this.before
    return messages === 0 ? undefined : bytes / messages
  }

  get measure(): Effect.Effect<void> {
    return Effect.void
  }

  get depth(): number {
    return this.memory.count + this.backendDepth
  }
  get backendDepth(): number {
    return this.backend?.depth ?? 0
  }

  get places(): MemoryPlaces {
    return { queues: [this.memory], deferred: undefined, backend: this.backend }
  }

  get lookAtOldest(): Effect.Effect<void> {
    return Effect.sync(() => {
      const inMemory = oldestIn(this.memory)
      // Without messages in memory, those on disk are from before the start.
      this.oldest = inMemory === Infinity && this.backendDepth > 0 ? this.openedAt : inMemory
    })
  }

  // ---- publishing

  put(bodies: PublishedBodies, deferMillis: number): Completion<BrokerError> {
    const now = this.time.wallNanos()
    const ids = this.owner.guids.take(now, bodies.count)
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
      this.owner.count(batch.count, bodies.bodyBytes)
      return undefined
    }
    return this.overflow(batch, bodies.bodyBytes, taken)
  }

  private overflow(batch: MessageBatch, bodyBytes: number, taken: number): Completion<BrokerError> {
    if (this.handsOverDirectly(batch)) {
      this.owner.count(batch.count, bodyBytes)
      return this.handOver.direct(batch)
    }
    if (this.backend === undefined) {
      this.owner.count(batch.count, bodyBytes)
      return undefined
    }
    const records = batch.encodeRecords(taken, batch.count)
    const refusedBytes = records.end - records.start - records.count * recordHeaderSize
    return this.backend.append([records]).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          if (batch.deferMillis > 0) this.delays.add(records, batch.deferMillis)
          this.owner.count(batch.count, bodyBytes)
          this.handOver.wake()
        })
      ),
      Effect.mapError((error) => {
        this.owner.count(taken, bodyBytes - refusedBytes)
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
    const { carried, settings: { memQueueSize }, storage, time, topic } = this
    const opened = isEphemeral(name) ? Effect.undefined : storage.openQueue(`${topic}:${name}`)
    return Effect.map(
      opened,
      (backend): MakeBacklog => (label, worker) => {
        this.noteSize(backend)
        const backlog = new Backlog(label, memQueueSize, backend, worker, this.handOver)
        const received = carried.get(name)
        if (received !== undefined) backlog.receive(received, wallOrigin(time))
        carried.delete(name)
        return backlog
      }
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
      this.handOver.noteEmptied()
      return this.backend === undefined ? Effect.void : this.backend.empty
    })
  }

  get deleteShared(): Effect.Effect<void> {
    return Effect.void
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

  get leave(): Effect.Effect<Carried> {
    return Effect.suspend((): Effect.Effect<Carried> => {
      const { backend } = this
      const now = Number(this.time.wallNanos() / 1_000_000n)
      const spans = this.memory.takeAll()
      const deferred = spans.flatMap((span) =>
        span.batch.deferMillis === 0 ? [] : [{ batch: batchOf(span), due: now + span.batch.deferMillis }]
      )
      const others = spans.filter(({ batch }) => batch.deferMillis === 0)
      // The files have no place for headers, and the next queue may have one.
      const waiting = others.filter(losesHeaders).map(batchOf)
      const plain = others.filter((span) => !losesHeaders(span))
      if (backend === undefined) return Effect.succeed({ waiting: others.map(batchOf), deferred })
      return Effect.match(storeInPieces(plain, (records) => backend.append(records), () => {}), {
        onSuccess: () => deferred.length + waiting.length === 0 ? nothing : { waiting, deferred },
        onFailure: ({ error, left }) => ({ waiting: [...waiting, ...left.map(batchOf)], deferred, failure: error })
      })
    })
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
