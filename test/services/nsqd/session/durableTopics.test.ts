import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Command } from "../../../../src/protocol/client/Command.ts"
import type { Message } from "../../../../src/protocol/client/Message.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import type { NsqdOptions } from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import { FaultyDisk, ProtocolClient, TestBroker, until, untilIdle } from "../../../../src/testing/index.ts"
import { layer, start as startBroker } from "../broker/durable.ts"
import { channelOf } from "../broker/testing.ts"

const topic = TopicName.make("orders")
const channel = ChannelName.make("billing")
const body = (text: string): Buffer => Buffer.from(text)
const textOf = (message: Message): string => Buffer.from(message.body).toString()

/** The clients of these tests do not send heartbeats. */
const heartbeatMillis = 36_000_000
const start = (options: Partial<NsqdOptions> = {}) =>
  startBroker({ ...options, maxHeartbeatInterval: Duration.millis(heartbeatMillis) })

const connected = Effect.gen(function*() {
  const client = yield* ProtocolClient.connect(TestBroker.address)
  const wishes = { heartbeat_interval: heartbeatMillis, output_buffer_size: -1 }
  yield* client.send({ _tag: "IDENTIFY", body: body(JSON.stringify(wishes)) })
  assert.strictEqual(yield* client.text, "OK")
  return client
})

const subscribed = Effect.fnUntraced(function*(ready: number) {
  const client = yield* connected
  yield* client.send({ _tag: "SUB", topic, channel })
  assert.strictEqual(yield* client.text, "OK")
  yield* client.send({ _tag: "RDY", count: ready })
  return client
})

/** Sends a publish and waits for its response. */
const published = Effect.fnUntraced(function*(client: ProtocolClient.ProtocolClient, command: Command) {
  yield* client.send(command)
  assert.strictEqual(yield* client.text, "OK")
})

/** Receives as many messages, by body. */
const receive = Effect.fnUntraced(function*(client: ProtocolClient.ProtocolClient, count: number) {
  const messages = new Map<string, Message>()
  while (messages.size < count) {
    const message = yield* client.message
    messages.set(textOf(message), message)
  }
  return messages
})

const attemptsOf = (messages: ReadonlyMap<string, Message>) =>
  Object.fromEntries(Array.from(messages, ([text, { attempts }]) => [text, attempts]))

/** The consumer finishes, requeues and defers messages, and the broker has executed all of it. */
const acknowledged = Effect.fnUntraced(
  function*(client: ProtocolClient.ProtocolClient, ...commands: ReadonlyArray<Command>) {
    yield* client.send(...commands)
    yield* untilIdle
  }
)

const endings = ["stop", "kill"] as const

describe("a session on a durable topic", () => {
  for (const durability of ["written", "synced"] as const) {
    for (const ending of endings) {
      it.effect(`every command has its effect, which a ${ending} of the daemon does not undo (${durability})`, () =>
        Effect.gen(function*() {
          yield* TestClock.setTime(Date.UTC(2030, 1))
          const first = yield* start({ durability })
          const ids = yield* first.run(Effect.gen(function*() {
            const consumer = yield* subscribed(0)
            const publisher = yield* connected
            yield* published(publisher, { _tag: "PUB", topic, body: body("finished") })
            yield* published(publisher, {
              _tag: "MPUB",
              topic,
              bodies: [body("requeued"), body("deferred"), body("touched"), body("in flight")]
            })
            yield* published(publisher, { _tag: "DPUB", topic, deferMillis: 60_000, body: body("later") })
            yield* consumer.send({ _tag: "RDY", count: 5 })
            const received = yield* receive(consumer, 5)
            const idOf = (text: string): string => received.get(text)!.id
            assert.deepStrictEqual(attemptsOf(received), {
              "finished": 1,
              "requeued": 1,
              "deferred": 1,
              "touched": 1,
              "in flight": 1
            })
            yield* acknowledged(
              consumer,
              { _tag: "RDY", count: 0 },
              { _tag: "FIN", id: idOf("finished") },
              { _tag: "REQ", id: idOf("requeued"), delayMillis: 0 },
              { _tag: "REQ", id: idOf("deferred"), delayMillis: 30_000 },
              { _tag: "TOUCH", id: idOf("touched") }
            )
            const found = yield* channelOf(topic, channel)
            assert.deepStrictEqual([found.depth, found.deferredCount, found.inFlightCount], [1, 2, 2])
            // A second delivery of the requeued message, which is in flight when the process ends.
            yield* consumer.send({ _tag: "RDY", count: 3 })
            assert.deepStrictEqual(attemptsOf(yield* receive(consumer, 1)), { requeued: 2 })
            yield* TestClock.adjust(50)
            if (ending === "stop") yield* consumer.send({ _tag: "CLS" })
            return { requeued: idOf("requeued") }
          })).pipe(Effect.scoped)
          yield* first[ending]
          const second = yield* start({ durability })
          yield* second.run(Effect.gen(function*() {
            const found = yield* channelOf(topic, channel)
            assert.strictEqual(found.deferredCount, 2)
            const consumer = yield* subscribed(100)
            const again = yield* receive(consumer, 3)
            // A kill loses the delivery that has not ended.
            const more = ending === "stop" ? 1 : 0
            assert.deepStrictEqual(
              Object.entries(attemptsOf(again)).sort(),
              Object.entries({ "in flight": 1 + more, "requeued": 2 + more, "touched": 1 + more })
            )
            assert.strictEqual(again.get("requeued")?.id, ids.requeued)
            yield* acknowledged(consumer, ...Array.from(again.values(), ({ id }): Command => ({ _tag: "FIN", id })))
            assert.deepStrictEqual([found.depth, found.deferredCount, found.inFlightCount], [0, 2, 0])
            yield* TestClock.adjust("29 seconds")
            yield* untilIdle
            assert.strictEqual(found.deferredCount, 2)
            yield* TestClock.adjust("1 second")
            assert.deepStrictEqual(attemptsOf(yield* receive(consumer, 1)), { deferred: 2 })
            yield* TestClock.adjust("30 seconds")
            assert.deepStrictEqual(attemptsOf(yield* receive(consumer, 1)), { later: 1 })
          })).pipe(Effect.scoped)
          yield* second.stop
        }).pipe(Effect.provide(layer)))
    }
  }

  it.effect("a client that closes with CLS and messages in flight gives them back, and the next one gets them", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const consumer = yield* subscribed(2)
          yield* published(yield* connected, { _tag: "MPUB", topic, bodies: [body("a"), body("b"), body("c")] })
          const received = yield* receive(consumer, 2)
          yield* consumer.send({ _tag: "CLS" })
          assert.strictEqual(yield* consumer.text, "CLOSE_WAIT")
          yield* acknowledged(consumer, { _tag: "FIN", id: received.get("a")!.id })
        }))
        const next = yield* subscribed(100)
        assert.deepStrictEqual(Object.entries(attemptsOf(yield* receive(next, 2))).sort(), [["b", 2], ["c", 1]])
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  it.effect("a message that times out is delivered again, also after a kill", () =>
    Effect.gen(function*() {
      const first = yield* start()
      yield* first.run(Effect.gen(function*() {
        const consumer = yield* subscribed(1)
        yield* published(yield* connected, { _tag: "PUB", topic, body: body("a") })
        yield* receive(consumer, 1)
        yield* consumer.send({ _tag: "RDY", count: 0 })
        yield* untilIdle
        yield* TestClock.adjust("1 minute")
        const found = yield* channelOf(topic, channel)
        yield* until(() => found.depth === 1 && found.timeoutCount === 1)
        yield* TestClock.adjust(50)
      })).pipe(Effect.scoped)
      yield* first.kill
      const second = yield* start()
      yield* second.run(Effect.gen(function*() {
        assert.deepStrictEqual(attemptsOf(yield* receive(yield* subscribed(1), 1)), { a: 2 })
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  it.effect("a publish whose write fails gets E_PUB_FAILED or E_MPUB_FAILED with the disk's error, which ends the connection", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const broker = yield* start()
      yield* broker.run(Effect.gen(function*() {
        const consumer = yield* subscribed(100)
        yield* published(yield* connected, { _tag: "PUB", topic, body: body("before") })
        faulty.fail((operation, path) => operation === "write" && path.endsWith(".segment") ? "ENOSPC" : undefined)
        const commands: ReadonlyArray<Command> = [
          { _tag: "PUB", topic, body: body("refused") },
          { _tag: "MPUB", topic, bodies: [body("refused")] },
          { _tag: "DPUB", topic, deferMillis: 10, body: body("refused") }
        ]
        for (const command of commands) {
          const publisher = yield* connected
          yield* publisher.send(command)
          const response = (yield* publisher.text) ?? ""
          assert.include(response, `E_${command._tag}_FAILED ${command._tag} failed `)
          assert.include(response, "no space left on device")
          assert.isUndefined(yield* publisher.text)
        }
        faulty.fail(undefined)
        yield* published(yield* connected, { _tag: "PUB", topic, body: body("after") })
        assert.deepStrictEqual(Array.from((yield* receive(consumer, 2)).keys()), ["before", "after"])
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))
})
