/**
 * The load of `client.ts` with this project's client library, as built. It imports modules of Effect and not all of them, because the
 * library is measured.
 */
import { Consumer, NodeClient, Producer, Topic } from "effect-nsq/client"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { maxInFlight, type Start } from "./client.ts"
import { fail } from "./worker.ts"

const ClientLive = Layer.merge(NodeClient.layer, Layer.succeed(References.MinimumLogLevel, "Error"))

export const start: Start = ({ batch, bodyBytes, inFlight, port, role, topic }, count) => {
  const servers = { nsqd: [`127.0.0.1:${port}`] }
  const body = Buffer.alloc(bodyBytes, "x")
  const bodies = Array.from({ length: batch }, () => body)
  const publishing = Effect.gen(function*() {
    const producer = yield* Producer.make({ servers })
    const publish = Effect.suspend(() =>
      batch === 1 ? producer.publish(topic, body) : producer.publishAll(topic, bodies)
    )
    const repeated = Effect.forever(Effect.map(publish, () => count(batch)))
    yield* Effect.all(Array.from({ length: inFlight }, () => repeated), { concurrency: "unbounded" })
  })
  const consuming = Effect.gen(function*() {
    const consumer = yield* Consumer.make({ topic: Topic.bytes(topic), channel: "c0", servers, maxInFlight })
    yield* consumer.run(() => Effect.sync(() => count(1)), { concurrency: 10 })
  })
  Effect.runCallback(Effect.scoped(role === "publish" ? publishing : consuming).pipe(Effect.provide(ClientLive)), {
    onExit: (exit) => fail(new Error(`the client ended: ${String(exit)}`))
  })
}
