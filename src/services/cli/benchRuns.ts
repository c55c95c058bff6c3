/**
 * The loads of `nsq bench`: they publish and consume with the client library, and measure what the client sees. One process makes
 * the load, so that a fast nsqd may wait for it.
 */
import { Deferred, Effect, Fiber, type Scope, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { type ClientError, type ConnectionOptions, Consumer, Producer, type Servers, Topic } from "../client/index.ts"
import * as Time from "../core/Time.ts"
import type { Transport } from "../net/Transport.ts"
import type { Progress } from "./ProgressBar.ts"

/** A load. */
export interface Load {
  readonly servers: Servers
  readonly connection: ConnectionOptions
  readonly topic: string
  /** Messages in all. */
  readonly count: number
  /** Bytes of a message. */
  readonly size: number
  readonly connections: number
  /** Publishes that a connection has in flight. */
  readonly inFlight: number
  /** Messages of a publish; PUB for 1, otherwise MPUB. */
  readonly batch: number
  /** Messages that are published per second; Infinity for no limit. */
  readonly rate: number
}

/** What was measured. Times are in milliseconds. */
export interface Measured {
  readonly messages: number
  readonly seconds: number
  /** Of each publish until its reply, or of each message until its delivery. */
  readonly times: ReadonlyArray<number>
}

/** Consumers read the channel of this name. */
export const channel = "bench"

/** Messages that a consumer requests at a time. */
const maxInFlight = 2500
const timeBytes = 8

type Work<A> = Effect.Effect<A, ClientError, Transport | HttpClient.HttpClient | Scope.Scope>

const producersOf = (load: Load) =>
  Effect.forEach(
    Array.from({ length: load.connections }),
    () => Producer.make({ servers: load.servers, connection: load.connection, waitForServer: false })
  ).pipe(Effect.tap(Effect.forEach(({ awaitConnected }) => awaitConnected)))

/** Publishes all messages. `stamp` is called for each publish and returns its body. */
const publishAll = Effect.fnUntraced(function*(
  load: Load,
  producers: ReadonlyArray<Producer.ProducerService>,
  stamp: () => Uint8Array,
  progress: Progress
): Effect.fn.Return<Measured, ClientError> {
  const { batch, count, inFlight, rate, topic } = load
  const { monotonicMillis } = yield* Time.make
  const times: Array<number> = []
  let started = 0
  let confirmed = 0
  const begun = monotonicMillis()
  const worker = (producer: Producer.ProducerService) =>
    Effect.gen(function*() {
      while (started < count) {
        const due = begun + started / rate * 1000 - monotonicMillis()
        const size = Math.min(batch, count - started)
        started += size
        if (due > 0) yield* Effect.sleep(due)
        const at = monotonicMillis()
        yield* batch === 1
          ? producer.publish(topic, stamp())
          : producer.publishAll(topic, Array.from({ length: size }, stamp))
        times.push(monotonicMillis() - at)
        confirmed += size
        progress.set(confirmed)
      }
    })
  const workers = producers.flatMap((producer) => Array.from({ length: inFlight }, () => worker(producer)))
  yield* Effect.all(workers, { concurrency: "unbounded", discard: true })
  return { messages: confirmed, seconds: (monotonicMillis() - begun) / 1000, times }
})

/** Publishes, one message or a batch at a time. */
export const publish = (load: Load, progress: Progress): Work<Measured> =>
  Effect.flatMap(producersOf(load), (producers) => {
    const body = Buffer.alloc(load.size, "x")
    return publishAll(load, producers, () => body, progress)
  })

/** Consumes that many messages of the channel. `received` gets each body. */
const consumeAll = Effect.fnUntraced(function*(
  load: Load,
  received: (body: Uint8Array) => void,
  progress: Progress,
  ready: Deferred.Deferred<void>
): Effect.fn.Return<Omit<Measured, "times">, ClientError, Transport | HttpClient.HttpClient | Scope.Scope> {
  const { monotonicMillis } = yield* Time.make
  const consumers = yield* Effect.forEach(
    Array.from({ length: load.connections }),
    () =>
      Consumer.make({
        topic: Topic.bytes(load.topic),
        channel,
        servers: load.servers,
        connection: load.connection,
        maxInFlight,
        maxAttempts: 0
      })
  )
  yield* Effect.forEach(consumers, ({ awaitConnected }) => awaitConnected)
  yield* Deferred.succeed(ready, undefined)
  const done = yield* Deferred.make<void>()
  const begun = monotonicMillis()
  let messages = 0
  const consume = (consumer: Consumer.Consumer<Uint8Array>) =>
    consumer.messageArrays.pipe(
      Stream.runForEach((deliveries) => {
        for (const { body } of deliveries) received(body)
        messages += deliveries.length
        progress.set(messages)
        return Effect.andThen(
          Effect.forEach(deliveries, ({ finish }) => finish, { discard: true }),
          Effect.suspend(() => messages >= load.count ? Deferred.succeed(done, undefined) : Effect.void)
        )
      })
    )
  const all = yield* Effect.forkChild(Effect.forEach(consumers, consume, { concurrency: "unbounded", discard: true }))
  yield* Deferred.await(done)
  const seconds = (monotonicMillis() - begun) / 1000
  yield* Fiber.interrupt(all)
  return { messages, seconds }
})

/** Consumes messages that were published before. */
export const subscribe = (load: Load, progress: Progress): Work<Measured> =>
  Effect.flatMap(
    Deferred.make<void>(),
    (ready) => Effect.map(consumeAll(load, () => {}, progress, ready), (measured) => ({ ...measured, times: [] }))
  )

/** Publishes and consumes at the same time. The times are those from the publish to the delivery, from the clock in each body. */
export const both = Effect.fnUntraced(function*(
  given: Load,
  progress: Progress
): Effect.fn.Return<Measured, ClientError, Transport | HttpClient.HttpClient | Scope.Scope> {
  const load = { ...given, size: Math.max(timeBytes, given.size) }
  const { monotonicMillis } = yield* Time.make
  const times: Array<number> = []
  const received = (body: Uint8Array): void => {
    if (body.length >= timeBytes) {
      times.push(monotonicMillis() - new DataView(body.buffer, body.byteOffset, timeBytes).getFloat64(0))
    }
  }
  const stamp = (): Uint8Array => {
    const body = Buffer.alloc(load.size, "x")
    body.writeDoubleBE(monotonicMillis(), 0)
    return body
  }
  const ready = yield* Deferred.make<void>()
  const producers = yield* producersOf(load)
  const consuming = yield* Effect.forkChild(consumeAll(load, received, progress, ready))
  const publishing = Effect.andThen(
    Deferred.await(ready),
    publishAll(load, producers, stamp, { set: () => {}, note: () => {} })
  )
  const [, measured] = yield* Effect.all([publishing, Fiber.join(consuming)], { concurrency: "unbounded" })
  return { ...measured, times }
})
