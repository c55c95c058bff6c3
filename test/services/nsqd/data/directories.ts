/**
 * Shared parts of the tests of `nsq data`: a data directory on a disk in memory.
 */
import { Effect, Layer, References, Result } from "effect"
import { decodeMessage } from "../../../../src/protocol/client/Message.ts"
import { decodeNsqdMetadata, encodeNsqdMetadata } from "../../../../src/protocol/storage/NsqdMetadata.ts"
import type { DataReport, Holding } from "../../../../src/services/nsqd/data/DataReport.ts"
import { verify } from "../../../../src/services/nsqd/data/Verification.ts"
import * as Options from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { Storage } from "../../../../src/services/nsqd/storage/Storage.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { finish, open } from "../log/logs.ts"
import { range, recordsOf } from "../storage/queues.ts"

export const dataPath = "/data"

/** The log of the topic of the tests. */
export const logDirectory = `${dataPath}/log/orders`

export const layer = FaultyDisk.layer.pipe(
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
)

/** Verifies a directory. */
export const verifiedIn = (path: string) => verify({ dataPath: path, maxMsgSize: 1000 })

/** Verifies the directory of the tests. */
export const verified = verifiedIn(dataPath)

/** Writes `nsqd.dat` with the topic `orders` and its channels. */
export const list = (...channels: ReadonlyArray<string>) =>
  FaultyDisk.use((disk) =>
    Effect.sync(() =>
      disk.put(
        `${dataPath}/nsqd.dat`,
        encodeNsqdMetadata({
          topics: [{ name: "orders", paused: false, channels: channels.map((name) => ({ name, paused: name === "paused" })) }],
          version: "1.3.0"
        })
      )
    )
  )

/** Runs with the storage of a daemon, which closes at the end. */
export const withStorage = <A, E>(work: (storage: Storage["Service"]) => Effect.Effect<A, E>, path = dataPath) =>
  Effect.flatMap(Storage, work).pipe(
    Effect.provide(DiskStorage.layer.pipe(
      Layer.provide(Options.layer({ dataPath: path, maxBytesPerFile: 1000, maxMsgSize: 1000 }))
    ))
  )

/** Appends messages with these numbers to a disk queue, finishes the first ones, and closes it. */
export const fill = (queue: string, numbers: ReadonlyArray<number>, finished = 0) =>
  withStorage((storage) =>
    Effect.scoped(Effect.gen(function*() {
      const opened = yield* storage.openQueue(queue)
      yield* opened.append([recordsOf(numbers)])
      for (let left = finished; left > 0;) {
        const run = yield* opened.read(1)
        if (run === undefined) return
        const count = Math.min(left, run.count)
        run.ledger.settle(0, count)
        left -= count
      }
    }))
  )

/** Messages, deferred messages and bytes by topic or channel. */
export const contents = ({ holdings }: DataReport): Readonly<Record<string, ReadonlyArray<number>>> =>
  Object.fromEntries(
    holdings.map(({ bytes, channel, deferred, messages, topic }: Holding) => [
      channel === undefined ? topic : `${topic}:${channel}`,
      [messages, deferred, bytes]
    ])
  )

/** Writes a log with the channels `a` and `paused`; `a` has finished some messages, returned one and deferred two. */
export const writeLog = Effect.gen(function*() {
  yield* list("a", "paused")
  const log = yield* open({ directory: logDirectory, segmentBytes: 2000, durability: "written" })
  const a = yield* log.channel("a")
  yield* log.channel("paused")
  yield* log.publish(range(0, 100))
  yield* log.publish([100], 5000)
  const messages = yield* log.read(a)
  messages.slice(10, 30).forEach(finish)
  const sequence = (index: number): number => messages[index]!.batch.sequenceAt(messages[index]!.position)!
  a.giveBack(sequence(40), 7)
  a.defer(sequence(50), 5000, 3)
  yield* log.close
})

/** The number, attempts and id of the messages of a queue, in order. */
export const messagesIn = (path: string, queue: string) =>
  withStorage((storage) =>
    Effect.scoped(Effect.gen(function*() {
      const opened = yield* storage.openQueue(queue)
      const found: Array<{ readonly number: number; readonly attempts: number; readonly id: string; readonly timestamp: bigint }> = []
      for (let run = yield* opened.read(1000); run !== undefined; run = yield* opened.read(1000)) {
        const bytes = Buffer.from(run.bytes)
        for (let at = run.start; at < run.end; at += 4 + bytes.readInt32BE(at)) {
          const message = decodeMessage(bytes.subarray(at + 4, at + 4 + bytes.readInt32BE(at)))!
          found.push({
            number: Buffer.from(message.body).readInt32BE(0),
            attempts: message.attempts,
            id: message.id,
            timestamp: message.timestamp
          })
        }
      }
      return found
    })), path)

export const filesOf = FaultyDisk.use((disk) => Effect.sync(() => Array.from(disk.files().keys())))

export const metadataIn = (path: string) =>
  FaultyDisk.use((disk) =>
    Effect.sync(() =>
      Result.getOrThrow(decodeNsqdMetadata(disk.files().get(`${path}/nsqd.dat`)!.toString())).topics
    )
  )
