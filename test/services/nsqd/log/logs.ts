/**
 * Shared parts of the tests of durable logs: a log on a disk that can fail, with numbers as messages.
 */
import { Clock, Effect, Exit, type Latch, Layer, References, Scope } from "effect"
import { GuidGenerator } from "../../../../src/protocol/client/Guid.ts"
import {
  frameAttempts,
  frameBodyStart,
  type MessageBatch,
  type PublishedBodies
} from "../../../../src/protocol/client/MessageBatch.ts"
import { Disk, type DiskError, type DiskFile } from "../../../../src/services/nsqd/disk/Disk.ts"
import type { StorageError } from "../../../../src/services/nsqd/disk/StorageError.ts"
import type { ChannelLog } from "../../../../src/services/nsqd/log/ChannelLog.ts"
import type { TopicLogOptions } from "../../../../src/services/nsqd/log/LogHost.ts"
import { LogMemory } from "../../../../src/services/nsqd/log/LogMemory.ts"
import { TopicLog } from "../../../../src/services/nsqd/log/TopicLog.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"

export const options: TopicLogOptions = {
  topic: "orders",
  directory: "/log/orders",
  durability: "synced",
  segmentBytes: 64 * 1024
}

/** A disk whose operations take a while, so that others come between. */
export const yieldingDisk = (disk: Disk["Service"], chance: { readonly below: (limit: number) => number }) => {
  const slow = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const yields = Effect.suspend(() => Effect.repeat(Effect.yieldNow, { times: chance.below(3) }))
    return Effect.andThen(yields, Effect.tap(work, yields))
  }
  const slowFile = (file: DiskFile): DiskFile => ({
    read: (buffer, position) => slow(file.read(buffer, position)),
    write: (buffers, position) => slow(file.write(buffers, position)),
    sync: slow(file.sync),
    truncate: (size) => slow(file.truncate(size)),
    size: file.size,
    close: slow(file.close)
  })
  const opening = (open: (path: string) => Effect.Effect<DiskFile, DiskError>) => (path: string) =>
    Effect.map(slow(open(path)), slowFile)
  return Disk.of({
    ...disk,
    open: opening(disk.open),
    create: opening(disk.create),
    openExisting: opening(disk.openExisting),
    openDurable: opening(disk.openDurable),
    rename: (from, to) => slow(disk.rename(from, to)),
    remove: (path) => slow(disk.remove(path)),
    syncDirectory: (path) => slow(disk.syncDirectory(path))
  })
}

/** A disk whose syncs wait for the latch; durable writes do not. */
export const syncingBehind = (disk: Disk["Service"], latch: Latch.Latch) => {
  const opening = (open: (path: string) => Effect.Effect<DiskFile, DiskError>) => (path: string) =>
    Effect.map(open(path), (file): DiskFile => ({ ...file, sync: Effect.andThen(latch.await, file.sync) }))
  return Disk.of({
    ...disk,
    create: opening(disk.create),
    openExisting: opening(disk.openExisting),
    openDurable: opening(disk.openDurable),
    syncDirectory: (path) => Effect.andThen(latch.await, disk.syncDirectory(path))
  })
}

/** Bodies with these numbers, padded to `bodySize` bytes. */
export const bodiesOf = (numbers: ReadonlyArray<number>, bodySize = 8): PublishedBodies => {
  const bytes = Buffer.alloc(numbers.length * (4 + bodySize))
  numbers.forEach((number, i) => {
    bytes.fill(number % 251, i * (4 + bodySize), (i + 1) * (4 + bodySize))
    bytes.writeInt32BE(bodySize, i * (4 + bodySize))
    bytes.writeInt32BE(number, i * (4 + bodySize) + 4)
  })
  return { bytes, start: 0, gap: 0, count: numbers.length, bodyBytes: numbers.length * bodySize }
}

/** A delivered message. */
export interface Delivered {
  readonly number: number
  readonly attempts: number
  readonly batch: MessageBatch
  readonly position: number
}

export const messagesOf = (batch: MessageBatch): ReadonlyArray<Delivered> => {
  const { frames } = batch
  const messages: Array<Delivered> = []
  for (let at = 0; at < frames.length; at += frames.readInt32BE(at) + 4) {
    messages.push({
      number: frames.readInt32BE(frameBodyStart(frames, at)),
      attempts: frameAttempts(frames, at),
      batch,
      position: at
    })
  }
  return messages
}

export const finish = ({ batch, position }: Delivered): void => batch.settle(position, 1)

/** A log that its test closes and reopens. */
export class OpenLog {
  readonly log: TopicLog
  readonly health: () => StorageError | undefined
  readonly close: Effect.Effect<void>
  private readonly wallNanos: () => bigint
  private readonly ids = new GuidGenerator(1)

  constructor(
    log: TopicLog,
    health: () => StorageError | undefined,
    close: Effect.Effect<void>,
    wallNanos: () => bigint
  ) {
    this.log = log
    this.health = health
    this.close = close
    this.wallNanos = wallNanos
    if (log.commits.lastIssued !== undefined) this.ids.continueAfter(log.commits.lastIssued)
  }

  /** Publishes numbers and hands them over when they are stored. */
  publish(numbers: ReadonlyArray<number>, due = 0, bodySize = 8): Effect.Effect<void, StorageError> {
    return Effect.tap(this.appendHeld(numbers, due, bodySize), () => Effect.sync(() => this.log.handOver()))
  }

  /** Publishes numbers that are not handed over. */
  appendHeld(numbers: ReadonlyArray<number>, due = 0, bodySize = 8): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const nanos = this.wallNanos()
      return this.log.append(bodiesOf(numbers, bodySize), nanos, this.ids.take(nanos, numbers.length), due)
    })
  }

  channel(name: string): Effect.Effect<ChannelLog, StorageError> {
    return this.log.openChannel(name)
  }

  /** Reads all messages that wait in the channel. */
  read(channel: ChannelLog): Effect.Effect<ReadonlyArray<Delivered>, StorageError> {
    return Effect.gen({ self: this }, function*() {
      const messages: Array<Delivered> = []
      for (let batch = yield* this.log.read(channel); batch !== undefined; batch = yield* this.log.read(channel)) {
        messages.push(...messagesOf(batch))
      }
      return messages
    })
  }
}

export const numbersOf = (messages: ReadonlyArray<Delivered>): ReadonlyArray<number> =>
  messages.map(({ number }) => number)

/** Opens the log; the second opening of a directory is a restart. */
export const open = Effect.fnUntraced(function*(changed: Partial<TopicLogOptions> = {}) {
  const disk = yield* Disk
  const clock = yield* Clock.Clock
  const scope = yield* Scope.make()
  const context = yield* Effect.context<never>()
  let failure: StorageError | undefined
  yield* disk.makeDirectory("/log")
  const log = yield* TopicLog.open({ ...options, ...changed }, {
    disk,
    memory: new LogMemory(),
    wallMillis: () => clock.currentTimeMillisUnsafe(),
    randomEpoch: () => 7,
    fork: (work) => void Effect.runForkWith(context)(work),
    note: (_, error) => void (failure = error),
    refusal: () => undefined
  }).pipe(Scope.provide(scope))
  log.history.retain(() => undefined)
  return new OpenLog(log, () => failure, Scope.close(scope, Exit.void), () => clock.currentTimeNanosUnsafe())
})

export const layer = FaultyDisk.layer.pipe(
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
)

export const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
