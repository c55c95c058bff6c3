/**
 * The end of a Consumer over real sockets, against this project's nsqd and, with `NSQ_NSQD`, against NSQ's: the path of its
 * program.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue, Schedule, Schema, Scope, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import process from "node:process"
import type { Channel } from "../../src/protocol/http/StatsResponse.ts"
import { Consumer, DeadLetter, type Delivery, Producer, Topic } from "../../src/services/client/index.ts"
import * as NodeTransport from "../../src/services/net/NodeTransport.ts"
import * as Daemon from "./daemon.ts"

const layer = Layer.merge(NodeTransport.layer, FetchHttpClient.layer)
const raw = Topic.bytes("raw")
const timeout = 240_000

const reference = process.env["NSQ_NSQD"]
const daemons: ReadonlyArray<readonly [string, ReadonlyArray<string> | undefined]> = [
  ["this project's nsqd", Daemon.nsqd],
  ["NSQ's nsqd", reference === undefined ? undefined : [reference]]
]

/** A daemon with messages that time out after an hour, so that only a requeue brings them back. */
const start = Effect.fnUntraced(function*(command: ReadonlyArray<string>, bodies: ReadonlyArray<string>) {
  const flags = ["--msg-timeout=1h", "--max-msg-timeout=2h"]
  const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, flags, { command })
  const servers = { nsqd: [`127.0.0.1:${daemon.tcpPort}`] }
  const producer = yield* Producer.make({ servers })
  yield* producer.publishAll("raw", bodies)
  const consume = (options: Partial<Consumer.ConsumerOptions<Uint8Array>> = {}) =>
    Consumer.make({ topic: raw, channel: "c", servers, maxInFlight: 10, ...options })
  /** Waits until the condition holds for the channel in `/stats`. */
  const untilChannel = (condition: (channel: Channel) => boolean): Effect.Effect<void> =>
    Effect.flatMap(Daemon.topics(daemon), (topics) => {
      const channel = topics.find(({ topic_name }) => topic_name === "raw")?.channels.find(({ channel_name }) =>
        channel_name === "c"
      )
      return channel !== undefined && condition(channel)
        ? Effect.void
        : Effect.delay(untilChannel(condition), "20 millis")
    })
  return { daemon, servers, consume, untilChannel }
})

const text = (body: Uint8Array) => Buffer.from(body).toString()

for (const [name, command] of daemons) {
  describe.skipIf(command === undefined)(`a Consumer of ${name} over real sockets`, () => {
    const bodies = ["1", "2", "3", "4", "5"]

    it.live(
      "an interrupted program finishes the messages in its handlers, and the others are back at once",
      () =>
        Effect.gen(function*() {
          const { consume, untilChannel } = yield* start(command ?? [], bodies)
          const started = yield* Queue.unbounded<string>()
          const gate = yield* Deferred.make<void>()
          const finished: Array<string> = []
          const program = Effect.scoped(Effect.flatMap(consume(), (consumer) =>
            consumer.run((body) =>
              Queue.offer(started, text(body)).pipe(
                Effect.andThen(Deferred.await(gate)),
                Effect.andThen(Effect.sync(() => finished.push(text(body))))
              ), { concurrency: 2 })))
          const running = yield* Effect.forkChild(program)
          yield* Queue.take(started)
          yield* Queue.take(started)
          yield* untilChannel(({ in_flight_count }) =>
            in_flight_count === 5
          )
          const interrupting = yield* Effect.forkChild(Fiber.interrupt(running))
          yield* untilChannel(({ depth, in_flight_count }) => depth === 3 && in_flight_count === 2)
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(interrupting)
          yield* untilChannel(({ depth, in_flight_count }) => depth === 3 && in_flight_count === 0)
          assert.strictEqual(finished.length, 2)
        }).pipe(Effect.scoped, Effect.provide(layer)),
      timeout
    )

    it.live(
      "messages that the program holds are back at once when the Scope closes",
      () =>
        Effect.gen(function*() {
          const { consume, untilChannel } = yield* start(command ?? [], bodies)
          yield* Effect.scoped(Effect.gen(function*() {
            const consumer = yield* consume()
            yield* consumer.messages.pipe(Stream.take(2), Stream.runDrain)
            // The program has received two; the consumer has requeued those that it had for it.
            yield* untilChannel(({ depth, in_flight_count }) => depth === 3 && in_flight_count === 2)
          }))
          yield* untilChannel(({ depth, in_flight_count }) => depth === 5 && in_flight_count === 0)
        }).pipe(Effect.scoped, Effect.provide(layer)),
      timeout
    )

    it.live(
      "batches are finished, failed ones come back, and bodies that cannot be decoded become dead letters",
      () =>
        Effect.gen(function*() {
          const numbers = Array.from({ length: 300 }, (_, i) => i)
          const unreadable = Array.from({ length: 5 }, () => "no number")
          const { servers, untilChannel } = yield* start(command ?? [], [...numbers.map(String), ...unreadable])
          const deadLetter = DeadLetter.topic("rejected")
          const consumer = yield* Consumer.make({
            topic: Topic.make("raw", Schema.Int),
            channel: "c",
            servers,
            maxInFlight: 50,
            maxAttempts: 0,
            maxBackoffDuration: 0,
            retry: Schedule.spaced("50 millis"),
            deadLetter,
            onGivenUp: () => Effect.void
          })
          const handled = new Set<number>()
          /** Fails while a message of the batch is a multiple of 10 and new. */
          const handle = (batch: ReadonlyArray<number>, deliveries: ReadonlyArray<Delivery<number>>) =>
            batch.some((n, i) => n % 10 === 0 && deliveries[i]?.attempts === 1)
              ? Effect.fail("again")
              : Effect.sync(() => batch.forEach((n) => handled.add(n)))
          yield* Effect.forkScoped(consumer.runBatches(handle, { size: 10, within: "20 millis" }))
          const letters = yield* Consumer.make({ topic: deadLetter, channel: "c", servers, maxInFlight: 10 })
          const rejected = yield* Queue.unbounded<string>()
          yield* Effect.forkScoped(letters.run(({ body }) => Queue.offer(rejected, text(body))))
          assert.deepStrictEqual(yield* Effect.replicateEffect(Queue.take(rejected), 5), unreadable)
          yield* untilChannel(({ deferred_count, depth, in_flight_count, requeue_count }) =>
            depth === 0 && in_flight_count === 0 && deferred_count === 0 && requeue_count > 0
          )
          assert.strictEqual(handled.size, 300)
        }).pipe(Effect.scoped, Effect.provide(layer)),
      timeout
    )

    it.live(
      "stop, a second stop and the end of the Scope are no error for the daemon, and nothing stays subscribed",
      () =>
        Effect.gen(function*() {
          const { consume, daemon, untilChannel } = yield* start(command ?? [], bodies)
          const ending = yield* Scope.make()
          const consumer = yield* Scope.provide(consume({ drainTimeout: "1 second" }), ending)
          yield* untilChannel(({ in_flight_count }) => in_flight_count === 5)
          yield* consumer.stop
          yield* consumer.stop
          yield* untilChannel(({ clients, depth, in_flight_count }) =>
            depth === 5 && in_flight_count === 0 && (clients ?? []).length === 0
          )
          yield* Scope.close(ending, Exit.void)
          assert.notMatch(daemon.log(), /E_INVALID|cannot CLS/)
        }).pipe(Effect.scoped, Effect.provide(layer)),
      timeout
    )
  })
}
