/** nsqjs, an independent client that knows nothing of policies, with all of them in force. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Schema } from "effect"
import nsq, { type Message } from "nsqjs"
import { MessagesPage } from "../../src/protocol/http/MessagesResponse.ts"
import * as Daemon from "./daemon.ts"

const total = 2000
const batch = 100
const maxAttempts = 3

const policy = {
  match: "*",
  max_attempts: maxAttempts,
  ttl: "1h",
  dedup_window: "1h",
  max_depth: 100_000,
  max_bytes: 1_000_000_000,
  on_full: "reject",
  publish_rate: 1_000_000,
  retention_age: "1h"
}

const isBad = (number: number): boolean => number % 100 === 7

const decodePage = Schema.decodeUnknownEffect(Schema.fromJsonString(MessagesPage))

/** Publishes numbers with nsqjs, one batch after the other. */
const publishAll = (daemon: Daemon.Daemon): Effect.Effect<void, Error> =>
  Effect.callback((resume) => {
    const writer = new nsq.Writer("127.0.0.1", daemon.tcpPort)
    const finish = (result: Effect.Effect<void, Error>): void => {
      writer.close()
      resume(result)
    }
    const next = (at: number): void => {
      if (at >= total) return finish(Effect.void)
      const bodies = Array.from({ length: batch }, (_, i) => String(at + i))
      writer.publish("test", bodies, (error) => error ? finish(Effect.fail(error)) : next(at + batch))
    }
    writer.on("ready", () => next(0))
    writer.on("error", (error: Error) => finish(Effect.fail(error)))
    writer.connect()
  })

const read = (daemon: Daemon.Daemon, topic: string, onMessage: (message: Message) => void) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const reader = new nsq.Reader(topic, "c", {
        nsqdTCPAddresses: `127.0.0.1:${daemon.tcpPort}`,
        maxInFlight: 100,
        maxAttempts: 0,
        maxBackoffDuration: 0
      })
      reader.on("message", onMessage)
      reader.connect()
      return reader
    }),
    (reader) => Effect.sync(() => reader.close())
  )

describe("nsqjs beside policies", () => {
  for (const durability of ["memory", "written"]) {
    it.live(
      `nsqjs gets plain messages of a ${durability} topic, and those that it requeues too often become dead letters`,
      () =>
        Effect.gen(function*() {
          const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, [
            `--durability=${durability}`,
            `--policy=${JSON.stringify(policy)}`
          ])
          const post = (path: string, body: string, headers: Record<string, string>) =>
            Effect.promise(async () => {
              const url = `http://127.0.0.1:${daemon.httpPort}${path}`
              const response = await fetch(url, { method: "POST", headers, body })
              return response.status
            })
          yield* Daemon.http(daemon, "/channel/create?topic=test&channel=c", "")
          const deliveries = new Map<string, Array<number>>()
          const finished = new Set<string>()
          const isDone = yield* Latch.make(false)
          const expected = total + 1 - total / 100
          yield* read(daemon, "test", (message) => {
            const body = message.body.toString()
            deliveries.set(body, [...deliveries.get(body) ?? [], message.attempts])
            if (isBad(Number(body))) return message.requeue(0, false)
            message.finish()
            finished.add(body)
            if (finished.size === expected) isDone.openUnsafe()
          })
          yield* publishAll(daemon)
          // The second one is a duplicate; the third one expires before it is due.
          const keyed = { "Nsq-Dedup-Key": "key", "Nsq-Header-Content-Type": "text/plain" }
          assert.strictEqual(yield* post("/pub?topic=test", "once", keyed), 200)
          assert.strictEqual(yield* post("/pub?topic=test", "twice", keyed), 200)
          assert.strictEqual(yield* post("/pub?topic=test&defer=300&ttl=100ms", "late", {}), 200)
          yield* isDone.await

          const topicOf = (name: string) =>
            Effect.map(Daemon.topics(daemon), (topics) => topics.find(({ topic_name }) => topic_name === name))
          const settled = Effect.gen(function*() {
            while (true) {
              const topic = yield* topicOf("test")
              const channel = topic?.channels?.[0]
              const isSettled = channel?.dead_letter_count === total / 100 && channel.expired_count === 1
              if (topic !== undefined && channel !== undefined && isSettled) return { channel, topic }
              yield* Effect.sleep("20 millis")
            }
          })
          const { channel, topic } = yield* settled
          assert.deepStrictEqual([channel.depth, channel.in_flight_count, channel.deferred_count], [0, 0, 0])
          assert.deepStrictEqual([topic.message_count, topic.duplicate_count], [total + 2, 1])
          assert.deepStrictEqual([channel.timeout_count, channel.requeue_count], [0, maxAttempts * total / 100])
          for (let number = 0; number < total; number++) {
            const attempts = isBad(number) ? [1, 2, 3] : [1]
            assert.deepStrictEqual(deliveries.get(String(number)), attempts, `message ${number}`)
          }
          assert.deepStrictEqual(deliveries.get("once"), [1])
          assert.strictEqual(deliveries.size, total + 1)

          const { body } = yield* Daemon.http(daemon, "/messages?topic=test.dlq&limit=1000")
          const { messages } = yield* decodePage(body)
          assert.deepStrictEqual(
            messages.map(({ body }) => Number(body)).toSorted((a, b) => a - b),
            Array.from({ length: total / 100 }, (_, i) => 100 * i + 7)
          )
          for (const { headers } of messages) {
            assert.deepInclude(headers, {
              "nsq-origin-topic": "test",
              "nsq-origin-channel": "c",
              "nsq-origin-attempts": String(maxAttempts),
              "nsq-dead-reason": "max_attempts"
            })
            assert.match(headers?.["nsq-origin-client"] ?? "", /127\.0\.0\.1/)
          }

          // Dead letters are plain messages for nsqjs, too.
          const dead = new Set<number>()
          const allDead = yield* Latch.make(false)
          yield* read(daemon, "test.dlq", (message) => {
            message.finish()
            dead.add(Number(message.body.toString()))
            if (dead.size === total / 100) allDead.openUnsafe()
          })
          yield* allDead.await
          assert.isTrue([...dead].every(isBad))
        }).pipe(Effect.scoped),
      240_000
    )
  }
})
