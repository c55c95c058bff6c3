import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChannelName, TopicName } from "../../src/protocol/client/Names.ts"
import { body, connect, text } from "./client.ts"
import * as Daemon from "./daemon.ts"

const count = 1500
const numbers = Array.from({ length: count }, (_, i) => i)
/** Fewer descriptors than queues: the channels alone would need more. */
const scarce = { openFiles: 1024 }
const timeout = 480_000

const post = (daemon: Daemon.Daemon, path: string) =>
  Effect.map(Daemon.http(daemon, path, ""), ({ status }) => assert.strictEqual(status, 200))

const create = (daemon: Daemon.Daemon, topic: string, channel: string) =>
  Effect.andThen(
    post(daemon, `/topic/create?topic=${topic}`),
    post(daemon, `/channel/create?topic=${topic}&channel=${channel}`)
  )

/** Receives the one message that waits at a channel, finishes it and returns its body. */
const take = Effect.fnUntraced(function*(daemon: Daemon.Daemon, topic: string, channel: string) {
  const client = yield* connect(daemon)
  yield* client.ask({ _tag: "SUB", topic: TopicName.make(topic), channel: ChannelName.make(channel) })
  yield* client.send({ _tag: "RDY", count: 1 })
  return text(yield* client.message)
}, Effect.scoped)

describe("a daemon with more queues than descriptors", () => {
  it.live(
    "a daemon with 1,500 topics of one message each loses nothing when it stops",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const daemon = yield* Daemon.start(data, [], scarce)
        yield* Effect.forEach(numbers, (i) => create(daemon, `t${i}`, "c"), { concurrency: 4 })
        const publisher = yield* connect(daemon)
        for (const i of numbers) {
          const publish = { _tag: "PUB", topic: TopicName.make(`t${i}`), body: body(i) } as const
          assert.strictEqual(yield* publisher.ask(publish), "OK")
        }
        yield* daemon.signal("SIGTERM")
        assert.strictEqual(yield* daemon.exited, 0)
        assert.notMatch(daemon.log(), /ERROR|WARN/)

        const again = yield* Daemon.start(data, [], scarce)
        const bodies = yield* Effect.forEach(numbers, (i) => take(again, `t${i}`, "c"), { concurrency: 4 })
        assert.deepStrictEqual(bodies, numbers.map(String))
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon with one message in each of 1,500 channels of a topic loses nothing when it stops",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const daemon = yield* Daemon.start(data, [], scarce)
        yield* Effect.forEach(numbers, (i) => create(daemon, "t", `c${i}`), { concurrency: 4 })
        assert.strictEqual((yield* Daemon.http(daemon, "/pub?topic=t", "all")).body, "OK")
        yield* daemon.signal("SIGTERM")
        assert.strictEqual(yield* daemon.exited, 0)
        assert.notMatch(daemon.log(), /ERROR|WARN/)

        const again = yield* Daemon.start(data, [], scarce)
        const bodies = yield* Effect.forEach(numbers, (i) => take(again, "t", `c${i}`), { concurrency: 4 })
        assert.deepStrictEqual(bodies, numbers.map(() => "all"))
      }).pipe(Effect.scoped),
    timeout
  )
})
