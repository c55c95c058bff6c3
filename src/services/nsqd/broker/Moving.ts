/**
 * Moves the messages of a topic whose durability has changed: from NSQ's disk queues into its log, or back. Messages are removed
 * from the one only when the other has all of them durably. If the process ends in between, some may be delivered twice, and none
 * is lost.
 */
import { Effect, type Scope } from "effect"
import {
  frameAttempts,
  frameTimestampOffset,
  hasHeadersAt,
  MessageBatch
} from "../../../protocol/client/MessageBatch.ts"
import { isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import { addIdentities, recordsWithout } from "../../../protocol/storage/RecordIdentity.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { ChannelLog } from "../log/ChannelLog.ts"
import type { LogBatch } from "../log/LogBatch.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { BackendQueue } from "../storage/BackendQueue.ts"
import { Storage } from "../storage/Storage.ts"
import { type Carried, type DeferredMessage, type Handover, nothing } from "./Carried.ts"

/** Bytes per read from a disk queue. */
const runBytes = 256 * 1024
/** Deferred messages that are appended together. */
const deferredAtOnce = 1000

/** The name of a channel's disk queue. */
const queueOf = (topic: string, channel: string): string => `${topic}:${channel}`

const countOf = (batches: ReadonlyArray<MessageBatch>): number => batches.reduce((sum, { count }) => sum + count, 0)

// ---- into a log

const append = (batch: MessageBatch, due: number, log: TopicLog): Effect.Effect<number, StorageError> =>
  log.filling.append(batch, batch.frames.readBigInt64BE(frameTimestampOffset), due)

/** Appends messages that are in memory. `stored` is called with the range of their sequences. */
const appendCarried = Effect.fnUntraced(function*(
  { deferred, waiting }: Carried,
  log: TopicLog,
  stored: (from: number, to: number) => void
) {
  for (const batch of waiting) {
    const first = yield* append(batch, 0, log)
    stored(first, first + batch.count)
  }
  for (let at = 0; at < deferred.length; at += deferredAtOnce) {
    const firsts = yield* Effect.forEach(
      deferred.slice(at, at + deferredAtOnce),
      ({ batch, due }) => append(batch, due, log),
      { concurrency: "unbounded" }
    )
    for (const first of firsts) stored(first, first + 1)
  }
  return countOf(waiting) + deferred.length
})

/** Identities (see `RecordIdentity`) of the deferred messages that were read from a disk queue: its files have them as well. */
const identitiesOf = ({ deferred }: Carried): ReadonlySet<string> => {
  const identities = new Set<string>()
  for (const { batch } of deferred) {
    if (!batch.isOnDisk) continue
    const { bytes, end, start } = batch.encodeRecords(0, 1)
    addIdentities(identities, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), start, end)
  }
  return identities
}

/** Appends all messages of a disk queue, apart from those with the identities of `others`. */
const appendQueue = Effect.fnUntraced(function*(
  queue: BackendQueue,
  log: TopicLog,
  stored: (from: number, to: number) => void,
  others: ReadonlySet<string> = new Set()
) {
  let count = 0
  for (let run = yield* queue.read(runBytes); run !== undefined; run = yield* queue.read(runBytes)) {
    for (const records of others.size === 0 ? [run] : recordsWithout(run, others)) {
      const first = yield* append(MessageBatch.stored(records), 0, log)
      stored(first, first + records.count)
      count += records.count
    }
  }
  return count
})

/** Opens the disk queue of this name if it has files. */
const openExisting = Effect.fnUntraced(
  function*(name: string): Effect.fn.Return<BackendQueue | undefined, StorageError, Storage | Scope.Scope> {
    const storage = yield* Storage
    return (yield* storage.hasQueue(name)) ? yield* storage.openQueue(name) : undefined
  }
)

/**
 * Moves the messages of a topic's disk queues, and the carried ones, into its log. A message of a channel is only
 * that channel's.
 */
export const intoLog = (log: TopicLog, topic: TopicName, { carried, channels, own }: Handover) =>
  Effect.scoped(Effect.gen(function*() {
    const queues = new Map<string, BackendQueue>()
    for (const channel of channels) {
      const queue = isEphemeral(channel) ? undefined : yield* openExisting(queueOf(topic, channel))
      if (queue !== undefined) queues.set(channel, queue)
    }
    const topicQueue = yield* openExisting(topic)
    if (queues.size === 0 && topicQueue === undefined && carried.size === 0 && own === nothing) return
    if (log.filling.isNew) yield* log.filling.begin
    let count = 0
    const logs = new Map<string, ChannelLog>()
    // All of them first, so that each has finished the messages of the others.
    for (const channel of channels) {
      const opened = isEphemeral(channel) ? log.openEphemeralChannel(channel, Infinity) : log.openChannel(channel)
      logs.set(channel, yield* opened)
    }
    for (const channel of channels) {
      const owner = logs.get(channel)
      if (owner === undefined) continue
      const stored = (from: number, to: number) => log.filling.giveTo(owner, from, to)
      const queue = queues.get(channel)
      const left = carried.get(channel) ?? nothing
      if (queue !== undefined) count += yield* appendQueue(queue, log, stored, identitiesOf(left))
      count += yield* appendCarried(left, log, stored)
    }
    if (count > 0) log.handOver()
    // From here on the messages are the topic's own.
    log.hold()
    if (topicQueue !== undefined) count += yield* appendQueue(topicQueue, log, () => {})
    count += yield* appendCarried(own, log, () => {})
    yield* log.filling.end
    for (const queue of topicQueue === undefined ? queues.values() : [...queues.values(), topicQueue]) {
      yield* queue.delete
    }
    yield* Effect.logInfo(`TOPIC(${topic}): moved ${count} messages to its log`)
  }))

// ---- out of a log

/** The frames of a batch, one by one. */
const framesOf = (frames: Buffer): ReadonlyArray<Buffer> => {
  const all: Array<Buffer> = []
  for (let at = 0; at < frames.length;) {
    const end = at + frames.readInt32BE(at) + 4
    all.push(frames.subarray(at, end))
    at = end
  }
  return all
}

/** A message alone, whose batch it does not retain. */
const single = (frame: Buffer): MessageBatch =>
  MessageBatch.ofFrames(Buffer.from(frame), 1, undefined, hasHeadersAt(frame, 0))

/** Reads all messages that wait in a channel of a log. */
export const readWaiting = Effect.fnUntraced(function*(
  log: TopicLog,
  channel: ChannelLog,
  each: (batch: MessageBatch) => Effect.Effect<void, StorageError>
) {
  for (let batch = yield* log.read(channel); batch !== undefined; batch = yield* log.read(channel)) yield* each(batch)
})

/** Reads all deferred messages of a channel whose waiting messages have been read. The log keeps them deferred. */
export const readDeferred = Effect.fnUntraced(function*(log: TopicLog, channel: ChannelLog) {
  const dues = channel.releaseAll()
  const deferred: Array<DeferredMessage> = []
  yield* readWaiting(log, channel, (batch) =>
    Effect.sync(() => {
      let position = 0
      for (const frame of framesOf(batch.frames)) {
        const sequence = batch.sequenceAt(position)
        const due = sequence === undefined ? undefined : dues.get(sequence)
        if (sequence !== undefined && due !== undefined) {
          channel.defer(sequence, due, frameAttempts(frame, 0))
          deferred.push({ batch: single(frame), due })
        }
        position += frame.length
      }
    }))
  return deferred
})

/** The part of a batch from the sequence `from` on. */
const partFrom = ({ end, first, frames, hasHeaders, starts }: LogBatch, from: number): MessageBatch =>
  MessageBatch.ofFrames(
    frames.subarray(starts[Math.max(0, from - first)]),
    end - Math.max(first, from),
    undefined,
    hasHeaders
  )

/** What `outOfLog` has moved. */
export interface MovedOut {
  /** The channels of the log. */
  readonly channels: ReadonlyArray<string>
  /** The deferred messages of the channels; NSQ's files cannot have them. */
  readonly carried: ReadonlyMap<string, Carried>
  /** Those of the topic. */
  readonly own: Carried
}

/** Nothing was moved. */
export const noneMoved: MovedOut = { channels: [], carried: new Map(), own: nothing }

/** How many messages of a batch have headers, which disk queues cannot hold. */
const headersIn = ({ frames, hasHeaders }: MessageBatch): number =>
  hasHeaders ? framesOf(frames).filter((frame) => hasHeadersAt(frame, 0)).length : 0

const writeChannel = Effect.fnUntraced(function*(log: TopicLog, name: string, queue: BackendQueue) {
  const channel = yield* log.openChannel(name)
  let count = 0
  let headers = 0
  yield* readWaiting(log, channel, (batch) => {
    count += batch.count
    headers += headersIn(batch)
    return queue.append([batch.encodeRecords(0, batch.count)])
  })
  yield* queue.sync
  return { count, headers, deferred: yield* readDeferred(log, channel) }
})

const writeHeld = Effect.fnUntraced(function*(log: TopicLog, queue: BackendQueue) {
  const deferred: Array<DeferredMessage> = []
  let count = 0
  let headers = 0
  for (
    let from = log.handed, found = yield* log.history.readHeld(from);
    found !== undefined;
    found = yield* log.history.readHeld(from)
  ) {
    const batch = partFrom(found, from)
    if (found.due > log.wallMillis()) {
      for (const frame of framesOf(batch.frames)) deferred.push({ batch: single(frame), due: found.due })
    } else {
      count += batch.count
      headers += headersIn(batch)
      yield* queue.append([batch.encodeRecords(0, batch.count)])
    }
    from = found.end
  }
  yield* queue.sync
  return { count, headers, deferred }
})

const carriedOf = (deferred: ReadonlyArray<DeferredMessage>): Carried =>
  deferred.length === 0 ? nothing : { waiting: [], deferred }

/** Moves the messages of a topic's log into its disk queues and deletes the log, if it has one. */
export const outOfLog = (topic: TopicName): Effect.Effect<MovedOut, StorageError, Storage> =>
  Effect.gen(function*() {
    const storage = yield* Storage
    if (!(yield* storage.hasLog(topic))) return noneMoved
    /** Queues that did not exist before: after a failure, the log still has their messages. */
    const written: Array<BackendQueue> = []
    const openQueue = Effect.fnUntraced(function*(name: string) {
      const existed = yield* storage.hasQueue(name)
      const queue = yield* storage.openQueue(name)
      if (!existed) written.push(queue)
      return queue
    })
    const move = Effect.gen(function*() {
      const log = yield* storage.openLog(topic, "written")
      const carried = new Map<string, Carried>()
      let count = 0
      let headers = 0
      for (const name of log.channelNames) {
        const moved = yield* writeChannel(log, name, yield* openQueue(queueOf(topic, name)))
        count += moved.count
        headers += moved.headers
        if (moved.deferred.length > 0) carried.set(name, carriedOf(moved.deferred))
      }
      const held = log.depth === 0
        ? { count: 0, headers: 0, deferred: [] }
        : yield* writeHeld(log, yield* openQueue(topic))
      const channels = log.channelNames
      written.length = 0
      // If the log remains, its messages are moved again at the next start.
      yield* Effect.catch(log.delete, (error) =>
        Effect.logError(`TOPIC(${topic}): failed to remove its log, whose messages were moved - ${error.message}`))
      yield* Effect.logInfo(`TOPIC(${topic}): moved ${count + held.count} messages from its log to disk queues`)
      if (headers + held.headers > 0) {
        yield* Effect.logWarning(
          `TOPIC(${topic}): headers of ${headers + held.headers} messages were removed: disk queues cannot hold them`
        )
      }
      const inMemory = [
        ...Array.from(carried, ([name, { deferred }]) =>
          `${name} (${deferred.length})`),
        ...(held.deferred.length === 0 ? [] : [`of the topic itself (${held.deferred.length})`])
      ]
      if (inMemory.length > 0) {
        yield* Effect.logWarning(
          `TOPIC(${topic}): deferred messages are in memory only from now on: ${inMemory.join(", ")}`
        )
      }
      return { channels, carried, own: carriedOf(held.deferred) }
    })
    return yield* Effect.scoped(
      Effect.onError(move, () =>
        Effect.forEach(written, (queue) => Effect.ignore(queue.delete), { discard: true }))
    )
  })
