/**
 * A custom Layer around publishing: messages of the topic `orders` must be JSON that matches a Schema. It applies to all
 * publishes, including those over TCP and HTTP, where the error response has the reason.
 *
 * Run it with `node examples/checked.ts` after `npm run build`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema } from "effect"
import { Broker, BrokerError, publish, Publisher, Storage } from "effect-nsq/broker"

const Order = Schema.fromJsonString(Schema.Struct({
  item: Schema.NonEmptyString,
  quantity: Schema.Int.check(Schema.isGreaterThan(0))
}))
const decodeOrder = Schema.decodeUnknownEffect(Order)

const CheckedPublisher = Publisher.layerChecked((topic, body) =>
  topic !== "orders" ? Effect.void : decodeOrder(Buffer.from(body).toString()).pipe(
    Effect.mapError((error) => BrokerError.rejection(`not an order: ${error.message}`)),
    Effect.asVoid
  )
)

const CheckedBroker = CheckedPublisher.pipe(
  Layer.provideMerge(Broker.layer),
  Layer.provide(Storage.layerMemory)
)

export const program = Effect.gen(function*() {
  yield* publish("orders", Buffer.from(`{"item":"tea","quantity":2}`))
  const refusal = yield* Effect.flip(publish("orders", Buffer.from(`{"item":"tea","quantity":0}`)))
  yield* Console.log(refusal.message)
  return refusal.message
}).pipe(Effect.provide(CheckedBroker))

if (import.meta.main) NodeRuntime.runMain(program)
