/**
 * nsqd stopped by a signal for longer than the message timeout, as by a debugger, a suspended machine or a container without CPU time.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { body, connect, topic } from "./client.ts"
import { start, temporaryDirectory, topics } from "./daemon.ts"

const channel = ChannelName.make("frozen")
const perConsumer = 125
/** Far more than one read of a socket, so that the acknowledgements after it arrive in later reads. */
const padding = Buffer.from("NOP\n".repeat(60_000))

describe("a suspended daemon", () => {
  it.live(
    "a daemon that was suspended requeues no message whose acknowledgement arrived meanwhile",
    () =>
      Effect.gen(function*() {
        const daemon = yield* start(yield* temporaryDirectory, ["--msg-timeout=6s"])
        const consumers = yield* Effect.forEach([1, 2, 3, 4], () => connect(daemon))
        for (const consumer of consumers) {
          yield* consumer.ask({ _tag: "SUB", topic, channel })
          yield* consumer.send({ _tag: "RDY", count: perConsumer })
        }
        const publisher = yield* connect(daemon)
        const bodies = Array.from({ length: perConsumer * consumers.length - 1 }, (_, i) => body(i))
        assert.strictEqual(yield* publisher.ask({ _tag: "MPUB", topic, bodies: [body("first"), ...bodies] }), "OK")
        const held = yield* Effect.forEach(
          consumers,
          (consumer) => Effect.replicateEffect(consumer.message, perConsumer)
        )

        yield* daemon.signal("SIGSTOP")
        for (const [i, consumer] of consumers.entries()) {
          consumer.socket.write(padding)
          yield* consumer.send(...held[i]!.map(({ id }) => ({ _tag: "FIN", id }) as const))
        }
        // Longer than the message timeout, which is far longer than a slow machine needs until here.
        yield* Effect.sleep("6500 millis")
        yield* daemon.signal("SIGCONT")

        const stats = Effect.map(topics(daemon), ([topic]) => topic?.channels[0])
        let now = yield* stats
        while (now !== undefined && now.in_flight_count > 0) now = yield* stats
        assert.deepStrictEqual([now?.depth, now?.in_flight_count, now?.timeout_count], [0, 0, 0])
        for (const consumer of consumers) assert.strictEqual(yield* consumer.ask({ _tag: "CLS" }), "CLOSE_WAIT")
      }),
    240_000
  )
})
