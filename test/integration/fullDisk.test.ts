import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { bundledNsqd } from "./bundled.ts"
import { body, type Client, connect, text, topic } from "./client.ts"
import * as Daemon from "./daemon.ts"
import { type SmallDisk, smallDisk } from "./smallDisk.ts"

const nsqd = bundledNsqd()
const timeout = 240_000
const diskBytes = 8 * 1024 * 1024
const bodyBytes = 10_000
const channel = ChannelName.make("c")
const sub = { _tag: "SUB", topic, channel } as const

/** Numbered messages, and which of them nsqd accepted. */
class Published {
  readonly open = new Set<string>()
  private next = 0

  message(): string {
    return `${this.next++}:`.padEnd(bodyBytes, "x")
  }
}

const start = (disk: SmallDisk, flags: ReadonlyArray<string>) =>
  Daemon.start(disk.path, ["--mem-queue-size=0", "--sync-every=1", ...flags], { command: disk.on(nsqd.command()) })

/** Publishes until the disk is full, over TCP and then over HTTP. Refused publishes must get an error that states the cause. */
const fill = Effect.fnUntraced(function*(daemon: Daemon.Daemon, published: Published) {
  let publisher = yield* connect(daemon)
  let refusals = 0
  while (refusals < 3) {
    const message = published.message()
    const answer = yield* publisher.ask({ _tag: "PUB", topic, body: body(message) })
    if (answer === "OK") published.open.add(message)
    else {
      assert.match(answer, /^E_PUB_FAILED PUB failed .*no space left on device/)
      // This error ends the connection.
      assert.strictEqual(yield* publisher.answer, "closed")
      publisher = yield* connect(daemon)
      refusals++
    }
  }
  const refused = yield* Daemon.http(daemon, "/pub?topic=test", published.message())
  assert.strictEqual(refused.status, 503)
  assert.notInclude(refused.body, "EXITING")
  const ping = yield* Daemon.http(daemon, "/ping")
  assert.strictEqual(ping.status, 500)
  assert.match(ping.body, /no space left on device/)
})

/** Finishes messages until every accepted one has arrived. */
const drain = Effect.fnUntraced(function*(consumer: Client, { open }: Published) {
  yield* consumer.send({ _tag: "RDY", count: 50 })
  while (open.size > 0) {
    const message = yield* consumer.message
    open.delete(text(message))
    yield* consumer.send({ _tag: "FIN", id: message.id })
  }
})

const subscribed = Effect.fnUntraced(function*(daemon: Daemon.Daemon) {
  const consumer = yield* connect(daemon)
  assert.strictEqual(yield* consumer.ask(sub), "OK")
  return consumer
})

/** Publishes until a message is accepted, because the files of consumed messages are deleted gradually. */
const publishAgain = (daemon: Daemon.Daemon, published: Published) =>
  Effect.gen(function*() {
    const message = published.message()
    const { body, status } = yield* Daemon.http(daemon, "/pub?topic=test", message)
    if (status !== 200) return yield* Effect.fail(body)
    published.open.add(message)
  }).pipe(Effect.retry(Schedule.max([Schedule.spaced("50 millis"), Schedule.recurs(200)])))

/** Completes once `/ping` reports a working disk. */
const healthy = (daemon: Daemon.Daemon) =>
  Effect.gen(function*() {
    const { body, status } = yield* Daemon.http(daemon, "/ping")
    if (status !== 200) return yield* Effect.fail(body)
  }).pipe(Effect.retry(Schedule.max([Schedule.spaced("50 millis"), Schedule.recurs(200)])))

const stops = {
  "SIGTERM": (daemon: Daemon.Daemon) =>
    Effect.gen(function*() {
      yield* daemon.signal("SIGTERM")
      assert.strictEqual(yield* daemon.exited, 0, daemon.log())
    }),
  "kill -9": (daemon: Daemon.Daemon) => Effect.andThen(daemon.signal("SIGKILL"), daemon.exited)
}

describe.each([
  { files: "large files", flags: [] },
  { files: "small files", flags: ["--max-bytes-per-file=1000000"] },
  ...["written", "synced"].map((durability) => ({
    files: `the log of a ${durability} topic`,
    flags: [`--durability=${durability}`, "--segment-size=1000000", "--min-free-bytes=0"]
  }))
])("a daemon on a full disk with $files", ({ flags }) => {
  it.live(
    "a daemon refuses publishes while its disk is full, and accepts them again without a restart once consumers have drained it",
    () =>
      Effect.gen(function*() {
        const disk = yield* smallDisk(diskBytes)
        const daemon = yield* start(disk, flags)
        const consumer = yield* subscribed(daemon)
        const published = new Published()
        for (let round = 0; round < 2; round++) {
          yield* fill(daemon, published)
          assert.isAbove(published.open.size, 100)
          yield* drain(consumer, published)
          yield* publishAgain(daemon, published)
          yield* drain(consumer, published)
        }
        yield* healthy(daemon)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live.each(Object.entries(stops))(
    "a daemon has every accepted message after %s and a start on the full disk",
    ([, stop]) =>
      Effect.gen(function*() {
        const disk = yield* smallDisk(diskBytes)
        const published = new Published()
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* start(disk, flags)
          yield* subscribed(daemon)
          yield* fill(daemon, published)
          yield* stop(daemon)
        }))
        const daemon = yield* start(disk, flags)
        yield* drain(yield* subscribed(daemon), published)
        yield* publishAgain(daemon, published)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live.each(Object.entries(stops))(
    "consumers of a channel that is created on the full disk get every message, also after %s in the middle",
    ([, stop]) =>
      Effect.gen(function*() {
        const disk = yield* smallDisk(diskBytes)
        const published = new Published()
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* start(disk, flags)
          yield* fill(daemon, published)
          const consumer = yield* subscribed(daemon)
          yield* consumer.send({ _tag: "RDY", count: 10 })
          for (let finished = 0; finished < 100; finished++) {
            const message = yield* consumer.message
            published.open.delete(text(message))
            yield* consumer.send({ _tag: "FIN", id: message.id })
          }
          // Others are in flight.
          yield* consumer.message
          yield* stop(daemon)
        }))
        const daemon = yield* start(disk, flags)
        yield* drain(yield* subscribed(daemon), published)
        yield* publishAgain(daemon, published)
      }).pipe(Effect.scoped),
    timeout
  )
})
