/**
 * A rate limiter: each topic takes a number of messages per second, and publishers beyond it wait for their reply, so that NSQ's
 * clients slow down by themselves.
 *
 * Run it with `node examples/limiter.ts` after `npm run build`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Console, Effect, Layer } from "effect"
import { Nsqd } from "effect-nsq"
import { publish, Publisher, Storage } from "effect-nsq/broker"

const limitedTo = (perSecond: number) =>
  Layer.effect(
    Publisher,
    Publisher.useSync((standard) => {
      /** The time at which the next message of a topic is due, in ms. */
      const due = new Map<string, number>()
      return Publisher.of({
        publish: (topic, bodies, deferMillis) =>
          Effect.gen(function*() {
            const now = yield* Clock.currentTimeMillis
            const start = Math.max(now, due.get(topic) ?? 0)
            due.set(topic, start + (bodies.count * 1000) / perSecond)
            if (start > now) yield* Effect.sleep(start - now)
            yield* standard.publish(topic, bodies, deferMillis) ?? Effect.void
          })
      })
    })
  ).pipe(Layer.provide(Nsqd.pieces.publisher))

const Daemon = Nsqd.layerWith({}, {
  publisher: limitedTo(10),
  storage: Storage.layerMemory,
  tcp: false,
  http: false
})

/** Returns the times, in ms after the first, at which five publishes were accepted. */
export const program = Effect.gen(function*() {
  const started = yield* Clock.currentTimeMillis
  const times: Array<number> = []
  for (let i = 0; i < 5; i++) {
    yield* publish("orders", Buffer.from(String(i)))
    times.push((yield* Clock.currentTimeMillis) - started)
  }
  yield* Console.log(times)
  return times
}).pipe(Effect.provide(Daemon))

if (import.meta.main) NodeRuntime.runMain(program)
