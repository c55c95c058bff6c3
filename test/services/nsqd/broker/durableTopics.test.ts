import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Broker, publish } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk, until, untilIdle } from "../../../../src/testing/index.ts"
import { layer, start } from "./durable.ts"
import { gatedReads } from "./gatedReads.ts"
import { channelOf, join, type Joined, numbers, send, topicOf } from "./testing.ts"

const endings = ["stop", "kill"] as const

/** Finishes messages until these have been received, in any order. */
const receive = Effect.fnUntraced(function*({ recording, subscription }: Joined, ...bodies: ReadonlyArray<string>) {
  const seen: Array<string> = []
  yield* until(() => {
    for (const { body, id } of recording.take()) {
      subscription.finish(messageKey(id))
      seen.push(body)
    }
    return seen.length >= bodies.length
  }, `the consumer receives ${bodies.join(", ")}`)
  assert.sameMembers(seen, [...bodies])
})

const logFiles = FaultyDisk.use((faulty) =>
  Effect.sync(() => Array.from(faulty.files().keys()).filter((path) => path.startsWith("/data/log/")))
)

const pause = (topic: string, paused: boolean) =>
  Effect.gen(function*() {
    const broker = yield* Broker
    yield* broker.pauseTopic(yield* topicOf(topic), paused)
  })

const names = Effect.map(
  Broker,
  (broker): Record<string, ReadonlyArray<string>> =>
    Object.fromEntries(broker.topics().map(({ channels, name }) => [name, channels.map(({ name }) => name).sort()]))
)

describe("an ephemeral channel of a durable topic", () => {
  it.effect("the channel gets the messages from its creation on, and neither it nor its messages are kept", () =>
    Effect.gen(function*() {
      const first = yield* start()
      yield* first.run(Effect.gen(function*() {
        yield* channelOf("orders", "lasting")
        yield* send("orders", "before")
        yield* Effect.scoped(Effect.gen(function*() {
          const passing = yield* join("orders", "passing#ephemeral", 100)
          yield* send("orders", "a", "b")
          yield* receive(passing, "a", "b")
        }))
        assert.deepStrictEqual(yield* names, { orders: ["lasting"] })
        yield* Effect.scoped(Effect.gen(function*() {
          yield* join("orders", "passing#ephemeral", 0)
          yield* send("orders", "c")
          yield* TestClock.adjust(50)
          assert.deepStrictEqual((yield* names)["orders"], ["lasting", "passing#ephemeral"])
        }))
        yield* join("orders", "passing#ephemeral", 0)
        yield* send("orders", "d")
        yield* TestClock.adjust(50)
      })).pipe(Effect.scoped)
      yield* first.kill
      const second = yield* start()
      yield* second.run(Effect.gen(function*() {
        assert.deepStrictEqual(yield* names, { orders: ["lasting"] })
        const passing = yield* join("orders", "passing#ephemeral", 100)
        yield* send("orders", "e")
        yield* receive(passing, "e")
        yield* receive(yield* join("orders", "lasting", 100), "before", "a", "b", "c", "d", "e")
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  it.effect("the channel keeps the oldest --mem-queue-size messages, as in NSQ", () =>
    Effect.gen(function*() {
      const broker = yield* start({ memQueueSize: 3 })
      yield* broker.run(Effect.gen(function*() {
        const passing = yield* join("orders", "passing#ephemeral", 0)
        for (const body of numbers(10)) yield* send("orders", body)
        assert.strictEqual(passing.channel.depth, 3)
        passing.subscription.setReady(100)
        yield* receive(passing, "m0", "m1", "m2")
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  it.effect("a topic with ephemeral channels only keeps its messages for the first lasting one after a restart", () =>
    Effect.gen(function*() {
      const first = yield* start()
      yield* first.run(Effect.gen(function*() {
        const passing = yield* join("orders", "passing#ephemeral", 100)
        yield* send("orders", "a")
        yield* receive(passing, "a")
        yield* send("orders", "b")
        yield* receive(passing, "b")
        yield* TestClock.adjust(50)
      })).pipe(Effect.scoped)
      yield* first.stop
      const second = yield* start()
      yield* second.run(Effect.gen(function*() {
        yield* send("orders", "c")
        const orders = yield* join("orders", "lasting", 100)
        yield* until(() => orders.recording.bodies().includes("c"))
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))
})

describe("a paused durable topic", () => {
  for (const ending of endings) {
    it.effect(`channels that are created while the topic is paused get its messages, also after a ${ending}`, () =>
      Effect.gen(function*() {
        const first = yield* start()
        yield* first.run(Effect.gen(function*() {
          yield* channelOf("orders", "a")
          yield* send("orders", "before")
          yield* pause("orders", true)
          yield* send("orders", "held 1")
          yield* channelOf("orders", "b")
          yield* send("orders", "held 2")
          const topic = yield* topicOf("orders")
          assert.deepStrictEqual([topic.depth, topic.channel("a")?.depth, topic.channel("b")?.depth], [2, 1, 0])
          yield* TestClock.adjust(50)
        }))
        yield* first[ending]
        const second = yield* start()
        yield* second.run(Effect.gen(function*() {
          const topic = yield* topicOf("orders")
          assert.isTrue(topic.paused)
          assert.deepStrictEqual([topic.depth, topic.channel("a")?.depth, topic.channel("b")?.depth], [2, 1, 0])
          yield* channelOf("orders", "c")
          yield* send("orders", "held 3")
          yield* pause("orders", false)
          assert.strictEqual(topic.depth, 0)
          yield* receive(yield* join("orders", "a", 100), "before", "held 1", "held 2", "held 3")
          for (const name of ["b", "c"]) {
            yield* receive(yield* join("orders", name, 100), "held 1", "held 2", "held 3")
          }
        })).pipe(Effect.scoped)
        yield* second.stop
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a paused channel keeps its messages and its pause over a kill, while others continue", () =>
    Effect.gen(function*() {
      const first = yield* start()
      yield* first.run(Effect.gen(function*() {
        const broker = yield* Broker
        yield* broker.pauseChannel(yield* channelOf("orders", "paused"), true)
        const other = yield* join("orders", "other", 100)
        yield* send("orders", "a", "b")
        yield* receive(other, "a", "b")
        yield* TestClock.adjust(50)
      })).pipe(Effect.scoped)
      yield* first.kill
      const second = yield* start()
      yield* second.run(Effect.gen(function*() {
        const broker = yield* Broker
        const paused = yield* join("orders", "paused", 100)
        const other = yield* join("orders", "other", 100)
        yield* send("orders", "c")
        yield* receive(other, "c")
        yield* untilIdle
        assert.isTrue(paused.channel.paused)
        assert.deepStrictEqual(paused.recording.bodies(), [])
        yield* broker.pauseChannel(paused.channel, false)
        yield* receive(paused, "a", "b", "c")
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))
})

describe("a deletion of a durable topic or channel", () => {
  for (const ending of ["kill", "loss of power"] as const) {
    it.effect(`a ${ending} during the deletion of a topic leaves all of its messages or none`, () =>
      Effect.gen(function*() {
        const found = new Set<string>()
        const crashAt = Effect.fnUntraced(function*(operation: number) {
          const disk = yield* FaultyDisk
          const first = yield* start()
          const isDone = yield* first.run(Effect.gen(function*() {
            const broker = yield* Broker
            yield* channelOf("orders", "c")
            yield* channelOf("orders", "d")
            yield* send("orders", "a", "b")
            disk.crashAt(operation, operation)
            yield* Effect.exit(broker.deleteTopic("orders"))
            return !disk.isCrashed()
          }))
          if (isDone) disk.crashAt(0)
          yield* first.stop
          if (ending === "kill") disk.kill()
          else disk.losePower(operation)
          const second = yield* start()
          yield* second.run(Effect.map(Broker, (broker) => {
            const depths = broker.topics().flatMap(({ channels }) => channels.map(({ depth }) => depth))
            // Names without messages remain, as in NSQ, if nsqd.dat was not written yet.
            assert.include(["", "0,0", "2,2"], depths.join())
            found.add(depths.join())
          }))
          yield* second.stop
          return isDone
        }, Effect.provide(layer, { local: true }))
        for (let operation = 1; !(yield* crashAt(operation)); operation++);
        assert.isTrue(found.has("2,2") && found.has(""))
      }))
  }

  for (const ending of endings) {
    it.effect(`a deleted channel does not come back after a ${ending}, and a new one with its name has none of its messages`, () =>
      Effect.gen(function*() {
        const first = yield* start()
        yield* first.run(Effect.gen(function*() {
          const broker = yield* Broker
          yield* channelOf("orders", "kept")
          yield* channelOf("orders", "deleted")
          yield* send("orders", "a")
          yield* publish("orders", Buffer.from("later"), { delay: "1 minute" })
          yield* broker.deleteChannel("orders", "deleted")
          yield* send("orders", "b")
        }))
        yield* first[ending]
        const second = yield* start()
        yield* second.run(Effect.gen(function*() {
          assert.deepStrictEqual(yield* names, { orders: ["kept"] })
          const again = yield* join("orders", "deleted", 100)
          assert.deepStrictEqual([again.channel.depth, again.channel.deferredCount], [0, 0])
          yield* send("orders", "c")
          yield* receive(again, "c")
          const kept = yield* join("orders", "kept", 100)
          yield* receive(kept, "a", "b", "c")
          assert.strictEqual(kept.channel.deferredCount, 1)
        })).pipe(Effect.scoped)
        yield* second.stop
      }).pipe(Effect.provide(layer)))

    it.effect(`a deleted topic does not come back after a ${ending}, and a new one with its name has none of its messages`, () =>
      Effect.gen(function*() {
        const first = yield* start()
        yield* first.run(Effect.gen(function*() {
          const broker = yield* Broker
          yield* channelOf("orders", "c")
          yield* send("orders", "a")
          yield* channelOf("kept", "c")
          yield* send("kept", "k")
          yield* broker.deleteTopic("orders")
          assert.isTrue((yield* logFiles).every((path) => path.startsWith("/data/log/kept/")))
        }))
        yield* first[ending]
        const second = yield* start()
        yield* second.run(Effect.gen(function*() {
          assert.deepStrictEqual(yield* names, { kept: ["c"] })
          const orders = yield* join("orders", "c", 100)
          yield* send("orders", "b")
          yield* receive(orders, "b")
          yield* receive(yield* join("kept", "c", 100), "k")
        })).pipe(Effect.scoped)
        yield* second[ending]
        const third = yield* start()
        yield* third.run(Effect.gen(function*() {
          assert.deepStrictEqual(yield* names, { kept: ["c"], orders: ["c"] })
        }))
        yield* third.stop
      }).pipe(Effect.provide(layer)))

    it.effect(`emptied topics and channels stay empty after a ${ending}`, () =>
      Effect.gen(function*() {
        const first = yield* start()
        yield* first.run(Effect.gen(function*() {
          const channel = yield* channelOf("orders", "c")
          yield* send("orders", "a")
          yield* publish("orders", Buffer.from("later"), { delay: "1 minute" })
          yield* channel.empty
          yield* send("waiting", "w")
          yield* (yield* topicOf("waiting")).empty
        }))
        yield* first[ending]
        const second = yield* start()
        yield* second.run(Effect.gen(function*() {
          const orders = yield* join("orders", "c", 100)
          const waiting = yield* join("waiting", "c", 100)
          assert.deepStrictEqual([orders.channel.depth, orders.channel.deferredCount, waiting.channel.depth], [0, 0, 0])
          yield* send("orders", "b")
          yield* receive(orders, "b")
          yield* send("waiting", "v")
          yield* receive(waiting, "v")
        })).pipe(Effect.scoped)
        yield* second.stop
      }).pipe(Effect.provide(layer)))
  }
})

describe("a durable channel that is emptied", () => {
  it.effect("a message that is published while messages before it are still read is delivered", () =>
    Effect.gen(function*() {
      const first = yield* start()
      yield* first.run(Effect.andThen(channelOf("orders", "c"), send("orders", ...numbers(10))))
      yield* first.stop
      const { disk, reads } = yield* gatedReads
      const second = yield* start().pipe(Effect.provideService(Disk, disk))
      yield* second.run(Effect.gen(function*() {
        yield* reads.close
        const consumer = yield* join("orders", "c", 100)
        yield* untilIdle
        yield* consumer.channel.empty
        yield* send("orders", "new")
        yield* reads.open
        yield* receive(consumer, "new")
        assert.strictEqual(consumer.channel.unfinished, 0)
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))
})

describe("messages in flight in a durable channel", () => {
  it.effect("a message that is deleted while its consumer has disconnected is not delivered after its timeout", () =>
    Effect.gen(function*() {
      const broker = yield* start({ requeueOnDisconnect: false })
      yield* broker.run(Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const gone = yield* join("orders", "c", 1, { msgTimeout: 1000 })
          yield* send("orders", "deleted")
          yield* until(() => gone.recording.bodies().length === 1)
        }))
        const channel = yield* channelOf("orders", "c")
        assert.isTrue(yield* channel.drop(1))
        yield* TestClock.adjust("2 seconds")
        const consumer = yield* join("orders", "c", 1)
        yield* untilIdle
        assert.deepStrictEqual([consumer.recording.bodies(), channel.unfinished], [[], 0])
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  for (const ending of endings) {
    it.effect(`messages in flight are delivered again after a ${ending}, with their attempts`, () =>
      Effect.gen(function*() {
        const first = yield* start()
        yield* first.run(Effect.gen(function*() {
          const consumer = yield* join("orders", "c", 100)
          yield* send("orders", "once", "thrice")
          yield* until(() => consumer.recording.bodies().length === 2)
          const [, thrice] = consumer.recording.take()
          for (let i = 0; i < 2; i++) {
            consumer.subscription.requeue(messageKey(thrice!.id), 0)
            yield* until(() => consumer.recording.bodies().length === 1)
            consumer.recording.take()
          }
          assert.strictEqual(consumer.channel.inFlightCount, 2)
          yield* TestClock.adjust(50)
          // A broker that is stopped has consumers, too.
          yield* first[ending]
        })).pipe(Effect.scoped)
        const second = yield* start()
        yield* second.run(Effect.gen(function*() {
          const consumer = yield* join("orders", "c", 100)
          yield* until(() => consumer.recording.bodies().length === 2)
          const attempts = Object.fromEntries(consumer.recording.take().map(({ attempts, body }) => [body, attempts]))
          assert.deepStrictEqual(attempts, ending === "stop" ? { once: 2, thrice: 4 } : { once: 1, thrice: 3 })
        })).pipe(Effect.scoped)
        yield* second.stop
      }).pipe(Effect.provide(layer)))
  }
})
