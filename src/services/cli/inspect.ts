/** `nsq stat` and `nsq node list`: the figures of topics, channels and nsqds. */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { daemonFailure, invalidArgument, missing } from "./CliError.ts"
import { drain } from "./drain.ts"
import * as failureText from "./failureText.ts"
import * as figures from "./figures.ts"
import * as names from "./names.ts"
import * as Output from "./Output.ts"
import { target } from "./Target.ts"

const { columns } = figures

const statColumns: ReadonlyArray<Output.Column<figures.Figures>> = [
  columns.topic,
  columns.channel,
  columns.depth,
  columns.inFlight,
  columns.deferred,
  columns.requeues,
  columns.timeouts,
  columns.messages,
  columns.clients,
  columns.paused
]

/** The command `nsq stat`. */
export const stat = Command.make(
  "stat",
  {
    topic: names.topic.pipe(Argument.withDescription("Only this topic"), Argument.optional),
    channel: names.channel.pipe(Argument.withDescription("Only this channel"), Argument.optional)
  },
  Effect.fnUntraced(function*({ channel, topic }) {
    const { nsqds } = yield* target
    const rows = yield* figures.query(yield* nsqds, Option.getOrUndefined(topic), Option.getOrUndefined(channel))
    if (Option.isSome(topic) && rows.length === 0) {
      const subject = Option.isSome(channel) ? `channel ${topic.value}/${channel.value}` : `topic ${topic.value}`
      return yield* missing(`${subject} does not exist`)
    }
    yield* Output.printRows(statColumns, rows, "no topics; publish to create one: nsq pub TOPIC MESSAGE")
  })
).pipe(
  Command.withDescription("Show the figures of topics and channels, summed over all nsqds"),
  Command.withExamples([
    { command: "nsq stat", description: "All topics of the nsqd on this machine" },
    { command: "nsq stat orders --context prod --json", description: "One topic of a named cluster, as JSON" }
  ])
)

/** An nsqd, as a row. */
interface NodeRow {
  readonly node: string
  readonly version: string
  readonly health: string
  readonly topics: number
  readonly messages: number
}

const list = Command.make(
  "list",
  {},
  Effect.fnUntraced(function*() {
    const { nsqds } = yield* target
    const rows = yield* Effect.forEach(
      yield* nsqds,
      ({ address, info, stats }) =>
        Effect.zipWith(info, stats({ clients: false, memory: false }), (known, { health, topics }): NodeRow => ({
          node: address,
          version: known.effect_nsq_version === ""
            ? known.version
            : `${known.version} (effect-nsq ${known.effect_nsq_version})`,
          health,
          topics: topics?.length ?? 0,
          messages: (topics ?? []).reduce((sum, { message_count: count }) => sum + count, 0)
        })).pipe(
          Effect.catch((error) =>
            Effect.succeed<NodeRow>({
              node: address,
              version: "",
              health: failureText.of(error),
              topics: 0,
              messages: 0
            })
          )
        ),
      { concurrency: 16 }
    )
    yield* Output.printRows(
      [
        {
          heading: "NSQD",
          cell: ({ node }) => node
        },
        { heading: "VERSION", cell: ({ version }) => version },
        { heading: "TOPICS", cell: ({ topics }) => topics },
        columns.messages,
        { heading: "HEALTH", cell: ({ health }) => health }
      ],
      rows,
      "no nsqd is registered"
    )
  })
)

const tombstone = Command.make(
  "tombstone",
  {
    topic: names.topic,
    node: Argument.String("node").pipe(Argument.withDescription("<broadcast address>:<HTTP port> of the nsqd"))
  },
  Effect.fnUntraced(function*({ node, topic }) {
    const { lookupds } = yield* target
    if (lookupds.length === 0) {
      return yield* invalidArgument("nsqlookupd hides nodes, and none is given: give --lookupd-http-address")
    }
    yield* Effect.mapError(
      Effect.forEach(lookupds, (nsqlookupd) => nsqlookupd.tombstone(topic, node), { discard: true }),
      daemonFailure
    )
    yield* Output.printResult(`${node} is hidden from new consumers of ${topic}`, { tombstoned: node, topic })
  })
).pipe(
  Command.withDescription("Hide the topic of an nsqd from consumers for a while"),
  Command.withExamples([{
    command: "nsq node tombstone orders nsqd-1:4151 --lookupd-http-address lookupd:4161",
    description: "Before orders is deleted on nsqd-1"
  }])
)

/** The command `nsq node`. */
export const node = Command.make("node").pipe(
  Command.withDescription("List nsqds, hide them from consumers, drain them"),
  Command.withSubcommands([
    list.pipe(
      Command.withDescription("List nsqds with version and health"),
      Command.withExamples([{ command: "nsq node list --context prod", description: "The nsqds of a named cluster" }])
    ),
    tombstone,
    drain
  ]),
  Command.withExamples([{ command: "nsq node drain nsqd-1:4151", description: "Before nsqd-1 is stopped for good" }])
)
