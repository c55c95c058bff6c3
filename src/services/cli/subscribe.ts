/** `nsq sub` and `nsq tail`: print messages as they arrive, from a channel or from one of their own. */
import { Console, Effect, Logger, Option, Random, References, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { Consumer, type Delivery, Topic } from "../client/index.ts"
import { daemonFailure, invalidArgument } from "./CliError.ts"
import * as names from "./names.ts"
import { root } from "./root.ts"
import * as ServerNotices from "./ServerNotices.ts"
import { target } from "./Target.ts"

/** One message as an object of `--json`. */
const toJson = ({ address, attempts, body, id, timestamp }: Delivery<unknown>): string =>
  JSON.stringify({ id, timestamp: timestamp.toString(), attempts, nsqd: address, body: Buffer.from(body).toString() })

const count = names.integer("count").pipe(
  Flag.withAlias("n"),
  Flag.withDescription("End after this many messages"),
  Flag.optional
)

/**
 * Prints the messages of a channel, and finishes each when it is printed. Waits for an nsqd that cannot be reached; fails if all
 * known ones refuse permanently, for example because the secret is wrong.
 */
const print = Effect.fnUntraced(function*(topic: string, channel: string, limit: number) {
  const { connection, servers } = yield* target
  const { json } = yield* root
  const notices = yield* ServerNotices.make
  yield* Effect.scoped(Effect.gen(function*() {
    const consumer = yield* Consumer.make({
      topic: Topic.bytes(topic),
      channel,
      servers: yield* servers,
      connection,
      maxInFlight: Math.min(200, limit),
      maxAttempts: 0
    })
    yield* Effect.forkScoped(notices.watch(consumer.connectionStates))
    const printed = consumer.messages.pipe(
      Stream.take(limit),
      Stream.runForEach((delivery) =>
        Effect.andThen(
          Console.log(json ? toJson(delivery) : Buffer.from(delivery.body).toString()),
          delivery.finish
        )
      )
    )
    const refused = Effect.andThen(consumer.awaitConnected, Effect.never)
    yield* Effect.raceFirst(printed, Effect.mapError(refused, daemonFailure))
  })).pipe(
    Effect.provide(Logger.layer([notices.logger])),
    Effect.provideService(References.MinimumLogLevel, "Info")
  )
})

const limitOf = (given: Option.Option<number>) =>
  Option.isSome(given) && given.value < 1
    ? Effect.fail(invalidArgument("--count must be at least 1"))
    : Effect.succeed(Option.getOrElse(given, () => Infinity))

/** The command `nsq sub`. */
export const subscribe = Command.make("sub", {
  topic: names.topic,
  channel: names.channel,
  count
}, ({ channel, count, topic }) => Effect.flatMap(limitOf(count), (limit) => print(topic, channel, limit))).pipe(
  Command.withDescription("Consume a channel: print its messages and finish them"),
  Command.withExamples([
    { command: "nsq sub orders kitchen", description: "Consume a channel until Ctrl-C" },
    { command: "nsq sub orders kitchen -n 1 --json", description: "Take one message, with its attributes" }
  ])
)

/** The command `nsq tail`. */
export const tail = Command.make(
  "tail",
  { topic: names.topic, count },
  Effect.fnUntraced(function*({ count, topic }) {
    const suffix = yield* Random.nextIntBetween(0, 1_000_000)
    yield* print(topic, `tail${String(suffix).padStart(6, "0")}#ephemeral`, yield* limitOf(count))
  })
).pipe(
  Command.withDescription("Print a topic's new messages, without taking them from any channel"),
  Command.withExamples([{ command: "nsq tail orders", description: "Print every new message until Ctrl-C" }])
)
