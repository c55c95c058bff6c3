/**
 * An audit mirror: every message of the topics whose names begin with `orders` is also published to the topic `audit`, whichever way
 * it came in. The publisher gets its OK when both topics have the message.
 *
 * Run it with `node examples/audit.ts` after `npm run build`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Stream } from "effect"
import { Nsqd, protocol } from "effect-nsq"
import { consume, publish, Publisher, Storage } from "effect-nsq/broker"

const audit = protocol.Names.TopicName.make("audit")

/** Wraps the standard Publisher. A publish that is complete at once returns `undefined`, as an Effect would cost more than it. */
const AuditedPublisher = Layer.effect(
  Publisher,
  Publisher.useSync((standard) =>
    Publisher.of({
      publish: (topic, bodies, deferMillis) => {
        const published = standard.publish(topic, bodies, deferMillis)
        if (!topic.startsWith("orders")) return published
        return Effect.andThen(
          published ?? Effect.void,
          Effect.suspend(() => standard.publish(audit, bodies, 0) ?? Effect.void)
        )
      }
    })
  )
).pipe(Layer.provide(Nsqd.pieces.publisher))

/** A broker without sockets and files; with `tcp` and `http` it would serve clients as well. */
const Daemon = Nsqd.layerWith({}, {
  publisher: AuditedPublisher,
  storage: Storage.layerMemory,
  tcp: false,
  http: false
})

export const program = Effect.gen(function*() {
  yield* publish("orders.eu", Buffer.from("tea"))
  yield* publish("clicks", Buffer.from("a click"))
  yield* publish("orders.us", [Buffer.from("coffee"), Buffer.from("cake")])
  return yield* consume("audit", "log", { maxInFlight: 10 }).pipe(
    Stream.tap(({ finish }) => finish),
    Stream.map(({ body }) => Buffer.from(body).toString()),
    Stream.tap((text) => Console.log(text)),
    Stream.take(3),
    Stream.runCollect
  )
}).pipe(Effect.provide(Daemon))

if (import.meta.main) NodeRuntime.runMain(program)
