import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChannelName, TopicName } from "../../src/protocol/client/Names.ts"
import { body, connect } from "./client.ts"
import * as Daemon from "./daemon.ts"

const timeout = 480_000

/** The channels of each topic. */
const known = Effect.fnUntraced(function*(daemon: Daemon.Daemon) {
  const topics = yield* Daemon.topics(daemon)
  return Object.fromEntries(
    topics.map(({ channels, topic_name }) => [topic_name, channels.map(({ channel_name }) => channel_name).sort()])
  )
})

const killed = (daemon: Daemon.Daemon) => Effect.andThen(daemon.signal("SIGKILL"), daemon.exited)

const post = (daemon: Daemon.Daemon, path: string) =>
  Effect.map(Daemon.http(daemon, path, ""), ({ status }) => assert.strictEqual(status, 200))

describe("a daemon that is killed immediately after an OK", () => {
  it.live(
    "a daemon that is killed keeps every topic and channel that was created",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const expected: Record<string, ReadonlyArray<string>> = {}
        for (let round = 0; round < 4; round++) {
          const daemon = yield* Daemon.start(data)
          assert.deepStrictEqual(yield* known(daemon), expected)
          const client = yield* connect(daemon)
          const created = TopicName.make(`created${round}`)
          const published = TopicName.make(`published${round}`)
          const subscribed = TopicName.make(`subscribed${round}`)
          for (let i = 0; i < 20; i++) yield* post(daemon, `/topic/create?topic=more${round}-${i}`)
          switch (round) {
            case 0:
              yield* post(daemon, `/topic/create?topic=${created}`)
              break
            case 1:
              yield* post(daemon, `/topic/create?topic=${created}`)
              yield* post(daemon, `/channel/create?topic=${created}&channel=c`)
              break
            case 2:
              assert.strictEqual(yield* client.ask({ _tag: "PUB", topic: published, body: body("m") }), "OK")
              break
            case 3: {
              const channel = ChannelName.make("c")
              assert.strictEqual(yield* client.ask({ _tag: "SUB", topic: subscribed, channel }), "OK")
            }
          }
          yield* killed(daemon)
          for (let i = 0; i < 20; i++) expected[`more${round}-${i}`] = []
          if (round < 2) expected[created] = round === 0 ? [] : ["c"]
          if (round === 2) expected[published] = []
          if (round === 3) expected[subscribed] = ["c"]
        }
        assert.deepStrictEqual(yield* known(yield* Daemon.start(data)), expected)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon that is killed does not restore deleted topics and channels, and keeps the paused state",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const daemon = yield* Daemon.start(data)
        for (const topic of ["a", "b", "c"]) {
          yield* post(daemon, `/topic/create?topic=${topic}`)
          yield* post(daemon, `/channel/create?topic=${topic}&channel=x`)
          yield* post(daemon, `/channel/create?topic=${topic}&channel=y`)
          assert.strictEqual((yield* Daemon.http(daemon, `/pub?topic=${topic}`, "m")).status, 200)
        }
        yield* Effect.all([
          post(daemon, "/topic/delete?topic=a"),
          post(daemon, "/channel/delete?topic=b&channel=x"),
          post(daemon, "/channel/delete?topic=c&channel=y"),
          post(daemon, "/topic/pause?topic=c")
        ], { concurrency: "unbounded" })
        yield* killed(daemon)
        const again = yield* Daemon.start(data)
        assert.deepStrictEqual(yield* known(again), { b: ["y"], c: ["x"] })
        const paused = (yield* Daemon.topics(again)).filter((topic) => topic.paused)
        assert.deepStrictEqual(paused.map(({ topic_name }) => topic_name), ["c"])
      }).pipe(Effect.scoped),
    timeout
  )
})
