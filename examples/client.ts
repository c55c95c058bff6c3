/**
 * The client library: a Producer publishes values with a Schema, and a Consumer handles them. Works with this project's nsqd
 * and with NSQ's.
 *
 * Run it with `node examples/client.ts` after `npm run build`, while an nsqd listens on 127.0.0.1:4150 (`npm start`).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Deferred, Effect, Schema } from "effect"
import { Consumer, NodeClient, Producer, type Servers, Topic } from "effect-nsq/client"

const Order = Schema.Struct({ item: Schema.NonEmptyString, quantity: Schema.Int })
const orders = Topic.make("orders", Order)

export const program = (servers: Servers) =>
  Effect.gen(function*() {
    const producer = yield* Producer.make({ servers })
    const consumer = yield* Consumer.make({ topic: orders, channel: "kitchen", servers, maxInFlight: 10 })
    const served = yield* Deferred.make<string>()
    yield* Effect.forkScoped(consumer.run((order) =>
      // A handler that succeeds finishes its message; one that fails requeues it for a later delivery.
      Effect.andThen(
        Console.log(`${order.quantity} ${order.item}`),
        Deferred.succeed(served, order.item)
      )
    ))
    yield* producer.publish(orders, { item: "tea", quantity: 2 })
    return yield* Deferred.await(served)
  }).pipe(Effect.scoped)

if (import.meta.main) {
  NodeRuntime.runMain(program({ nsqd: ["127.0.0.1:4150"] }).pipe(Effect.provide(NodeClient.layer)))
}
