/** Shared parts of the tests of brokers on a full disk, with numbers as messages. */
import { type Context, Effect, Exit, Layer, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Broker } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as Options from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { FaultyDisk, TestBroker } from "../../../../src/testing/index.ts"
import { type Joined, send, topicOf } from "./testing.ts"

const kib = 1024

/** Bytes of the disk before it is resized. */
export const capacity = 2048 * kib

/** The body of a message with this number. */
export const bodyOf = (number: number, bytes = 8 * kib): string => `${number}:`.padEnd(bytes, "x")
export const numberOf = (body: string): number => Number(body.slice(0, body.indexOf(":")))

export const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: to - from }, (_, i) => from + i)
export const ascending = (numbers: ReadonlyArray<number>): ReadonlyArray<number> => [...numbers].sort((a, b) => a - b)

/** A running broker. */
export interface Running {
  readonly context: Context.Context<Broker | Layer.Success<ReturnType<typeof TestBroker.layerNoStorage>>>
  /** Stops it; returns whether it has reported lost messages. */
  readonly stop: Effect.Effect<boolean>
  /** Ends it without letting it write anything more. */
  readonly kill: Effect.Effect<void>
}

export const start = Effect.fnUntraced(function*(memQueueSize: number, maxBytesPerFile = 100 * kib * kib) {
  const faulty = yield* FaultyDisk
  const daemon = DaemonState.make()
  const scope = yield* Scope.make()
  const options = Options.layer({ dataPath: "/data", syncEvery: 1, maxBytesPerFile })
  const broker = Layer.fresh(
    TestBroker.layerNoStorage({ memQueueSize }).pipe(
      Layer.provide(DiskStorage.layer.pipe(Layer.provide(options))),
      Layer.provide(Layer.succeed(DaemonState, daemon)),
      Layer.provide(Layer.succeed(Disk, faulty.process())),
      Layer.provide(Layer.succeed(References.MinimumLogLevel, "None"))
    )
  )
  const context = yield* Scope.provide(Layer.build(broker), scope)
  yield* TestClock.adjust("1 second")
  const close = Scope.close(scope, Exit.void)
  const running: Running = {
    context,
    stop: Effect.map(close, () => daemon.hasLost),
    kill: Effect.gen(function*() {
      faulty.crashAt(0)
      yield* close
      faulty.kill()
    })
  }
  return running
})

/** Publishes numbered messages from `from` on, at most `most`, until the disk refuses; returns the number of the next one. */
export const fill = Effect.fnUntraced(function*(from = 0, most = Infinity, bytes?: () => number) {
  for (let next = from;; next++) {
    if (next === from + most || Exit.isFailure(yield* Effect.exit(send("t", bodyOf(next, bytes?.()))))) return next
  }
})

/** Bytes of all files. */
export const usedBytes = Effect.map(
  FaultyDisk,
  (faulty) => Array.from(faulty.files().values()).reduce((sum, { length }) => sum + length, 0)
)

/** Gives the disk exactly the space that is used. */
export const fillUp = Effect.gen(function*() {
  ;(yield* FaultyDisk).resize(yield* usedBytes)
})

/** Finishes the messages that the consumer has, and those that follow, until it has got `count`; returns their numbers. */
export const finish = Effect.fnUntraced(function*({ recording, subscription }: Joined, count: number) {
  const numbers: Array<number> = []
  for (let waits = 0; numbers.length < count; waits++) {
    if (waits > 1000) throw new Error(`${numbers.length} of ${count} messages came`)
    for (const { body, id } of recording.take()) {
      numbers.push(numberOf(body))
      subscription.finish(messageKey(id))
    }
    yield* TestClock.adjust("20 millis")
  }
  return numbers
})

/** Finishes what the consumer gets within a while; returns the numbers. */
export const finishAll = Effect.fnUntraced(function*(joined: Joined) {
  const numbers: Array<number> = []
  for (let looks = 0; looks < 200; looks++) {
    numbers.push(...yield* finish(joined, joined.recording.bodies().length))
    yield* TestClock.adjust("20 millis")
  }
  return numbers
})

/** Pauses or unpauses the topic, whether or not the disk has space to record it. */
export const paused = Effect.fnUntraced(function*(isPaused: boolean) {
  const broker = yield* Broker
  yield* Effect.ignore(broker.pauseTopic(yield* topicOf("t"), isPaused))
})
