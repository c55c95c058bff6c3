/** `nsq pub`: publishes messages from the command line or from standard input. */
import { Console, Effect, Option, Result, Stdio, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Producer } from "../client/index.ts"
import * as GoDuration from "../core/GoDuration.ts"
import { daemonFailure } from "./CliError.ts"
import * as names from "./names.ts"
import { root } from "./root.ts"
import { target } from "./Target.ts"

/** Lines of the input that are published with one command. */
const batchSize = 200

/** The command. */
export const publish = Command.make(
  "pub",
  {
    topic: names.topic,
    messages: Argument.String("message").pipe(
      Argument.withDescription("Messages; without any, every line of standard input is one"),
      Argument.variadic()
    ),
    delay: Flag.String("delay").pipe(
      Flag.withDescription("Deliver the messages after this time, for example 90s or 1h30m"),
      Flag.filterMap(
        (text) => Result.getSuccess(GoDuration.parse(text)),
        () => "a duration such as 90s or 1h30m"
      ),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ delay, messages, topic }) {
    const { connection, servers } = yield* target
    const count = yield* Effect.scoped(Effect.gen(function*() {
      const producer = yield* Producer.make({ servers: yield* servers, connection, waitForServer: false })
      const send = (bodies: ReadonlyArray<string>) =>
        Effect.as(
          Option.isNone(delay)
            ? producer.publishAll(topic, bodies)
            : Effect.forEach(bodies, (body) => producer.publishDeferred(topic, body, delay.value), {
              concurrency: "unbounded",
              discard: true
            }),
          bodies.length
        )
      if (messages.length > 0) return yield* send(messages)
      const { stdin } = yield* Stdio.Stdio
      return yield* stdin.pipe(
        Stream.decodeText(),
        Stream.splitLines,
        Stream.filter((line) => line !== ""),
        Stream.grouped(batchSize),
        Stream.mapEffect(send),
        Stream.runSum
      )
    })).pipe(Effect.mapError(daemonFailure))
    const { json } = yield* root
    yield* Console.log(json ? JSON.stringify({ topic, published: count }) : `${count} published to ${topic}`)
  })
).pipe(
  Command.withDescription("Publish messages"),
  Command.withExamples([
    { command: "nsq pub orders '{\"item\":\"tea\"}'", description: "Publish one message" },
    { command: "tail -f events.log | nsq pub events", description: "Publish every line of the input" },
    { command: "nsq pub reminders 'call back' --delay 10m", description: "Deliver later" }
  ])
)
