/**
 * A broker inside a program, without sockets and files: it publishes messages and consumes the channel as a Stream.
 *
 * Run it with `node examples/embedded.ts` after `npm run build`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Stream } from "effect"
import { Broker, consume, publish, Publisher, Storage } from "effect-nsq/broker"

const MemoryBroker = Publisher.layer.pipe(
  Layer.provideMerge(Broker.layer),
  Layer.provide(Storage.layerMemory)
)

export const program = Effect.gen(function*() {
  yield* publish("orders", [Buffer.from("tea"), Buffer.from("coffee"), Buffer.from("cake")])
  return yield* consume("orders", "kitchen", { maxInFlight: 2 }).pipe(
    Stream.map((delivery) => ({ ...delivery, text: Buffer.from(delivery.body).toString() })),
    Stream.tap(({ attempts, text }) => Console.log(`${text}, attempt ${attempts}`)),
    Stream.tap(({ finish }) => finish),
    Stream.map(({ text }) => text),
    Stream.take(3),
    Stream.runCollect
  )
}).pipe(Effect.provide(MemoryBroker))

if (import.meta.main) NodeRuntime.runMain(program)
