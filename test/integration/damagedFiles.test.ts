import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync
} from "node:fs"
import { join } from "node:path"
import { ChannelName, TopicName } from "../../src/protocol/client/Names.ts"
import { until } from "../../src/testing/index.ts"
import { bundledNsqd } from "./bundled.ts"
import { body, type Client, connect, text } from "./client.ts"
import * as Daemon from "./daemon.ts"

const nsqd = bundledNsqd()
const timeout = 240_000
const flags = ["--mem-queue-size=0", "--sync-every=1"]
const channel = ChannelName.make("c")
const topic = TopicName.make("test")

const kill = (daemon: Daemon.Daemon) => Effect.andThen(daemon.signal("SIGKILL"), daemon.exited)

const publish = Effect.fnUntraced(function*(client: Client, topic: TopicName, texts: ReadonlyArray<string>) {
  for (const text of texts) assert.strictEqual(yield* client.ask({ _tag: "PUB", topic, body: body(text) }), "OK")
})

const subscribed = Effect.fnUntraced(function*(daemon: Daemon.Daemon, topic: TopicName, ready: number) {
  const consumer = yield* connect(daemon)
  assert.strictEqual(yield* consumer.ask({ _tag: "SUB", topic, channel }), "OK")
  yield* consumer.send({ _tag: "RDY", count: ready })
  return consumer
})

/** Finishes messages until each of the wanted ones has arrived. */
const takeAll = Effect.fnUntraced(function*(consumer: Client, wanted: ReadonlyArray<string>) {
  const missing = new Set(wanted)
  while (missing.size > 0) missing.delete(text(yield* consumer.message))
})

const take = Effect.fnUntraced(function*(consumer: Client, count: number) {
  const texts = []
  for (let i = 0; i < count; i++) {
    const message = yield* consumer.message
    yield* consumer.send({ _tag: "FIN", id: message.id })
    texts.push(text(message))
  }
  return texts
})

const named = (from: number, to: number): Array<string> =>
  Array.from({ length: to - from }, (_, i) => `message ${from + i} `.padEnd(100, "."))

/** The newest data file of the channel's queue. */
const lastFile = (data: string): string =>
  join(data, readdirSync(data).filter((name) => /^test:c\.diskqueue\.\d+\.dat$/.test(name)).sort().at(-1)!)

/** What a crash or a power failure can leave after the last complete record, and the number of records that it costs. */
const tails = [
  {
    tail: "a record without its last bytes",
    lost: 1,
    tear: (file: string) => truncateSync(file, readFileSync(file).length - 7)
  },
  {
    tail: "the first bytes of a record",
    lost: 0,
    tear: (file: string) => appendFileSync(file, readFileSync(file).subarray(0, 50))
  },
  { tail: "half of a size field", lost: 0, tear: (file: string) => appendFileSync(file, Buffer.from([0, 0])) },
  { tail: "zeros", lost: 0, tear: (file: string) => appendFileSync(file, Buffer.alloc(4096)) },
  { tail: "other bytes", lost: 0, tear: (file: string) => appendFileSync(file, Buffer.alloc(1000, 0xa5)) }
]

describe("a disk queue whose last file ends within a record", () => {
  it.live.each(tails)(
    "every undamaged message is delivered after a second kill while messages are in flight: $tail",
    ({ lost, tear }) =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const before = named(0, 100)
        const after = named(100, 110)
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* nsqd.start(data, flags)
          yield* subscribed(daemon, topic, 0)
          yield* publish(yield* connect(daemon), topic, before)
          // All messages have reached the channel's queue once its depth equals their number.
          yield* until(
            Effect.map(Daemon.topics(daemon), ([found]) => found?.channels[0]?.depth === before.length),
            `the channel has ${before.length} messages`
          )
          yield* kill(daemon)
        }))
        tear(lastFile(data))
        const whole = before.slice(0, before.length - lost)
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* nsqd.start(data, flags)
          const consumer = yield* subscribed(daemon, topic, 2500)
          yield* publish(yield* connect(daemon), topic, after)
          yield* takeAll(consumer, [...whole, ...after])
          yield* kill(daemon)
        }))
        const daemon = yield* nsqd.start(data, flags)
        const consumer = yield* subscribed(daemon, topic, 2500)
        yield* takeAll(consumer, [...whole, ...after])
      }).pipe(Effect.scoped),
    timeout
  )
})

const recordBytes = 4 + 26 + 100

/** Offsets within a record, and the field at each. */
const places = [
  ...[0, 1, 2, 3].map((at) => ({ part: "size", at })),
  ...[4, 8, 11].map((at) => ({ part: "timestamp", at })),
  ...[12, 13].map((at) => ({ part: "attempts", at })),
  ...[14, 20, 29].map((at) => ({ part: "id", at })),
  ...[30, 60, 129].map((at) => ({ part: "body", at }))
]

const flip = (path: string, position: number): void => {
  const file = openSync(path, "r+")
  const byte = readFileSync(path)[position]!
  writeSync(file, Buffer.from([byte ^ 0x15]), 0, 1, position)
  closeSync(file)
}

describe("files with single changed bytes", () => {
  it.live(
    "a changed byte never changes a delivered message and costs only the damaged one",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const count = 20
        const damaged = 7
        const cases = places.map((place, i) => ({ ...place, topic: TopicName.make(`t${i}`) }))
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* nsqd.start(data, flags)
          for (const { topic } of cases) {
            yield* subscribed(daemon, topic, 0)
            yield* publish(yield* connect(daemon), topic, named(0, count))
          }
          const arrived = Effect.map(
            Daemon.topics(daemon),
            (topics) => topics.every(({ channels }) => channels[0]?.depth === count)
          )
          yield* until(arrived, `each channel has ${count} messages`)
          yield* kill(daemon)
        }))
        for (const { at, topic } of cases) {
          flip(join(data, `${topic}:c.diskqueue.000000.dat`), damaged * recordBytes + at)
        }
        const daemon = yield* nsqd.start(data, flags)
        const published = new Set(named(0, count))
        for (const { at, part, topic } of cases) {
          const where = `byte ${at} of a record, in its ${part}`
          const consumer = yield* subscribed(daemon, topic, 1)
          const last = `published later to ${topic}`
          yield* publish(yield* connect(daemon), topic, [last])
          const missing = new Set([...published].filter((_, i) => i !== damaged))
          for (let [text = ""] = yield* take(consumer, 1); text !== last; [text = ""] = yield* take(consumer, 1)) {
            assert.isTrue(published.has(text), where)
            missing.delete(text)
          }
          assert.deepStrictEqual([...missing], [], where)
        }
        yield* daemon.logged(/t0:c/)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon starts with damaged metadata files and delivers every message",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const texts = named(0, 50)
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* nsqd.start(data, flags)
          const consumer = yield* subscribed(daemon, topic, 5)
          yield* publish(yield* connect(daemon), topic, texts)
          assert.deepStrictEqual(yield* take(consumer, 10), texts.slice(0, 10))
          yield* daemon.signal("SIGTERM")
          assert.strictEqual(yield* daemon.exited, 0)
        }))
        for (const name of readdirSync(data)) {
          if (!/^test.*\.diskqueue\..*\.dat$/.test(name) || /\.\d{6}\.dat$/.test(name)) continue
          writeFileSync(join(data, name), Buffer.alloc(20, 0xa5))
        }
        const daemon = yield* nsqd.start(data, flags)
        const consumer = yield* subscribed(daemon, topic, 1)
        const missing = new Set(texts.slice(10))
        while (missing.size > 0) for (const text of yield* take(consumer, 1)) missing.delete(text)
      }).pipe(Effect.scoped),
    timeout
  )
})
