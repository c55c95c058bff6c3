/** A broker in memory, a topic with a Schema, and consumers of it. */
import { Effect, Layer, Logger, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { Broker, type Channel } from "../../../src/broker.ts"
import { Consumer, Producer, Topic } from "../../../src/services/client/index.ts"
import { TestBroker, until } from "../../../src/testing/index.ts"

export const servers = { nsqd: [TestBroker.address] }
export const layer = TestBroker.layer().pipe(Layer.provideMerge(FetchHttpClient.layer))

export const Order = Schema.Struct({ item: Schema.String })
export const orders = Topic.make("orders", Order)

/** Publishes bodies to the topic `orders`, with one MPUB. */
export const publish = (...bodies: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(Producer.make({ servers }), (producer) => producer.publishAll("orders", bodies)))

/** Publishes orders of these items. */
export const order = (...items: ReadonlyArray<string>) => publish(...items.map((item) => JSON.stringify({ item })))

/** A consumer of the topic `orders` without backoff. */
export const consume = <R = never>(options: Partial<Consumer.ConsumerOptions<typeof Order.Type, R>> = {}) =>
  Consumer.make<typeof Order.Type, R>({
    topic: orders,
    channel: "c",
    servers,
    maxInFlight: 10,
    maxBackoffDuration: 0,
    defaultRequeueDelay: "1 second",
    ...options
  })

/** The channel of the consumer; the test dies if it does not exist. */
export const channel = Effect.gen(function*() {
  const found = (yield* Broker).findTopic("orders")?.channel("c")
  return found === undefined ? yield* Effect.die(new Error("the channel does not exist")) : found
})

/** Waits until the channel exists and the condition holds for it. */
export const untilChannel = (condition: (channel: Channel) => boolean, waitedFor = String(condition)) =>
  Effect.flatMap(Broker, (broker) =>
    until(() => {
      const found = broker.findTopic("orders")?.channel("c")
      return found !== undefined && condition(found)
    }, waitedFor))

/** Collects log lines. */
export const logs = () => {
  const lines: Array<string> = []
  const layer = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
  return { lines, layer }
}

export const text = (body: Uint8Array) => Buffer.from(body).toString()
