/** `nsq policy`, `nsq dlq` and `nsq redrive`: policies, dead letters and their redrive, on every nsqd of the cluster. */
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { defaultDeadLetter, patternOf } from "../../protocol/client/DeadLetterName.ts"
import type { RedriveProgress } from "../../protocol/http/RedriveResponse.ts"
import type { AdminError, NsqdApi } from "../admin/index.ts"
import * as PolicyCheck from "../nsqd/options/PolicyCheck.ts"
import * as PolicyMatch from "../nsqd/options/PolicyMatch.ts"
import { CliError, CliErrorReason, daemonFailure, invalidArgument } from "./CliError.ts"
import * as figures from "./figures.ts"
import * as names from "./names.ts"
import * as Output from "./Output.ts"
import { target } from "./Target.ts"

/** Calls every nsqd. */
const onEach = Effect.fnUntraced(function*<A>(
  call: (nsqd: NsqdApi.NsqdApi) => Effect.Effect<A, AdminError | CliError>
) {
  const { nsqds } = yield* target
  const nodes = yield* nsqds
  return yield* Effect.forEach(nodes, call, { concurrency: 16 }).pipe(
    Effect.mapError((error) => error._tag === "CliError" ? error : daemonFailure(error))
  )
})

const failed = (description: string): CliError =>
  new CliError({ reason: CliErrorReason.DaemonFailure({ description }) })

const isMissing = ({ reason }: AdminError): boolean => reason._tag === "TopicNotFound" || reason._tag === "Refusal"

const hasSeveralChannels = ({ reason }: AdminError): boolean =>
  reason._tag === "Refusal" && reason.code === "MISSING_ARG_CHANNEL"

const hasNoPolicy = ({ reason }: AdminError): boolean => reason._tag === "Refusal" && reason.code === "POLICY_NOT_FOUND"

const isTopicMissing = ({ reason }: AdminError): boolean => reason._tag === "TopicNotFound"

// ---- nsq policy

interface Row {
  readonly nsqd: string
  readonly match: string
  readonly field: string
  readonly value: string
  readonly source: string
}

const columns: ReadonlyArray<Output.Column<Row>> = [
  { heading: "NSQD", cell: ({ nsqd }) => nsqd },
  { heading: "MATCH", cell: ({ match }) => match },
  { heading: "FIELD", cell: ({ field }) => field },
  { heading: "VALUE", cell: ({ value }) => value },
  { heading: "SOURCE", cell: ({ source }) => source }
]

const allOf = (nsqd: NsqdApi.NsqdApi): Effect.Effect<ReadonlyArray<Row>, AdminError> =>
  Effect.map(
    nsqd.policies,
    (policies) =>
      policies.flatMap(({ match, source, ...fields }) =>
        Object.entries(fields).map(([field, value]) => ({
          nsqd: nsqd.address,
          match,
          field,
          value: String(value),
          source
        }))
      )
  )

const inForceFor = (topic: string, channel: string | undefined) => (nsqd: NsqdApi.NsqdApi) =>
  Effect.map(
    nsqd.policyInForce(topic, channel),
    ({ fields }) =>
      Object.entries(fields).map(([field, { match, source, value }]): Row => ({
        nsqd: nsqd.address,
        match,
        field,
        value: String(value),
        source
      }))
  )

const list = Command.make(
  "list",
  {
    topic: Argument.String("topic").pipe(
      Argument.withDescription("Show what is in force for this topic"),
      Argument.optional
    ),
    channel: Argument.String("channel").pipe(Argument.withDescription("or for this channel"), Argument.optional)
  },
  Effect.fnUntraced(function*({ channel, topic }) {
    const rows = yield* onEach(
      Option.isNone(topic) ? allOf : inForceFor(topic.value, Option.getOrUndefined(channel))
    )
    yield* Output.printRows(columns, rows.flat(), "no policies")
  })
).pipe(
  Command.withDescription("List policies, or what is in force for a topic or channel and from where"),
  Command.withExamples([
    { command: "nsq policy list", description: "The policies of each nsqd" },
    { command: "nsq policy list orders kitchen", description: "What applies to a channel" }
  ])
)

const set = Command.make(
  "set",
  {
    policy: Argument.String("policy").pipe(
      Argument.withDescription("<match>:<field>=<value>,... or a JSON object")
    )
  },
  Effect.fnUntraced(function*({ policy: text }) {
    const policy = PolicyCheck.fromText(text)
    if (Result.isFailure(policy)) return yield* invalidArgument(`${policy.failure.field}: ${policy.failure.why}`)
    const { match } = policy.success
    const { length } = yield* onEach((nsqd) => nsqd.setPolicy(policy.success))
    yield* Output.printResult(`the policy for ${match} is set on ${length} nsqd`, { set: match, nsqds: length })
  })
).pipe(
  Command.withDescription("Set a policy, in place of the one with the same pattern"),
  Command.withExamples([
    { command: "nsq policy set 'orders.*:max_attempts=5'", description: "Dead letters after 5 deliveries" },
    {
      command: "nsq policy set 'logs:max_depth=1000000,on_full=drop_oldest'",
      description: "A queue that never fills the disk"
    }
  ])
)

const remove = Command.make(
  "delete",
  { match: Argument.String("match").pipe(Argument.withDescription("The pattern of the policy")) },
  Effect.fnUntraced(function*({ match }) {
    const deleted = yield* onEach((nsqd) =>
      Effect.catchIf(Effect.as(nsqd.deletePolicy(match), true), hasNoPolicy, () => Effect.succeed(false))
    )
    const { length } = deleted.filter((each) => each)
    if (length === 0) return yield* failed(`no nsqd has a policy for ${match} that was set at run time`)
    yield* Output.printResult(`the policy for ${match} is deleted on ${length} nsqd`, { deleted: match, nsqds: length })
  })
).pipe(
  Command.withDescription("Delete a policy that was set at run time"),
  Command.withExamples([{ command: "nsq policy delete 'orders.*'", description: "The policy with this pattern" }])
)

/** The command `nsq policy`. */
export const policy = Command.make("policy").pipe(
  Command.withDescription("Policies of topics and channels"),
  Command.withSubcommands([list, set, remove]),
  Command.withExamples([{
    command: "nsq policy set 'orders.*:max_attempts=5'",
    description: "Dead letters after 5 deliveries"
  }])
)

// ---- nsq dlq

interface DeadLetters {
  readonly topic: string
  readonly channel: string
  readonly messages: number
  readonly nodes: number
}

/** The command `nsq dlq`. */
export const dlq = Command.make(
  "dlq",
  {},
  Effect.fnUntraced(function*() {
    const policies = yield* onEach((nsqd) => Effect.catchIf(nsqd.policies, isMissing, () => Effect.succeed([])))
    const patterns = policies.flat().flatMap(({ dead_letter: name }) => name ?? []).concat(defaultDeadLetter)
      .map(patternOf)
    const { nsqds } = yield* target
    const rows = yield* figures.query(yield* nsqds, undefined, undefined)
    const dead = rows
      .filter(({ topic }) => patterns.some((pattern) => PolicyMatch.matches(pattern, topic)))
      .map(({ channel, deferred, depth, inFlight, nodes, topic }): DeadLetters => ({
        topic,
        channel,
        messages: depth + inFlight + deferred,
        nodes
      }))
      .filter(({ channel, messages }) => channel !== "" || messages > 0)
    yield* Output.printRows(
      [
        { heading: "TOPIC", cell: ({ topic }) => topic },
        { heading: "CHANNEL", cell: ({ channel }) => channel },
        { heading: "MESSAGES", cell: ({ messages }) => messages },
        { heading: "NODES", cell: ({ nodes }) => nodes }
      ],
      dead,
      "no dead letters"
    )
  })
).pipe(
  Command.withDescription("List the dead-letter topics and their messages"),
  Command.withExamples([{ command: "nsq dlq --context prod", description: "The dead letters of a named cluster" }])
)

// ---- nsq redrive

const interval = "200 millis"

/** Waits until the redrive ends. */
const untilEnded = Effect.fnUntraced(function*(nsqd: NsqdApi.NsqdApi, begun: RedriveProgress) {
  let progress = begun
  while (progress.state === "running") {
    yield* Effect.sleep(interval)
    progress = yield* nsqd.redriveProgress(begun.topic)
  }
  if (progress.state === "failed") {
    return yield* failed(`${nsqd.address}: ${progress.error ?? "failed"}; ${progress.moved} messages are published`)
  }
  return progress
})

const optional = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

/** The command `nsq redrive`. */
export const redrive = Command.make(
  "redrive",
  {
    topic: names.topic,
    channel: optional("channel", "Channel of the dead-letter topic; default: its only one, or redrive"),
    id: optional("id", "Only the message with this id, or that had it before"),
    contains: optional("contains", "Only bodies with this text"),
    where: names.where,
    regex: optional("regex", "Only bodies that this regular expression matches"),
    to: optional("to", "Topic to publish to; default: where each message came from"),
    rate: names.integer("rate").pipe(
      Flag.withDescription("Messages per second of each nsqd; 0 for no limit"),
      Flag.withDefault(0)
    ),
    cancel: Flag.Boolean("cancel").pipe(Flag.withDescription("End a redrive"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function*({ cancel, channel, contains, id, rate, regex, to, topic, where }) {
    const options: NsqdApi.RedriveOptions = {
      rate,
      ...Option.isSome(channel) && { channel: channel.value },
      ...Option.isSome(id) && { id: id.value },
      ...Option.isSome(contains) && { contains: contains.value },
      ...Option.isSome(where) && { json: where.value },
      ...Option.isSome(regex) && { regex: regex.value },
      ...Option.isSome(to) && { to: to.value }
    }
    const ended = yield* onEach((nsqd): Effect.Effect<RedriveProgress | undefined, AdminError | CliError> =>
      cancel
        ? Effect.catchIf(nsqd.cancelRedrive(topic), isMissing, () => Effect.undefined)
        : Effect.flatMap(
          nsqd.redrive(topic, options).pipe(
            Effect.catchIf(isTopicMissing, () => Effect.undefined),
            Effect.catchIf(hasSeveralChannels, () =>
              failed(`${nsqd.address}: topic ${topic} has several channels; choose one with --channel`))
          ),
          (begun) =>
            begun === undefined ? Effect.undefined : untilEnded(nsqd, begun)
        )
    )
    const found = ended.filter((progress) => progress !== undefined)
    if (found.length === 0) {
      return yield* failed(cancel ? `no redrive of ${topic} runs` : `topic ${topic} does not exist`)
    }
    const moved = found.reduce((sum, progress) => sum + progress.moved, 0)
    const skipped = found.reduce((sum, progress) => sum + progress.skipped, 0)
    const kept = skipped === 0 ? "" : `; ${skipped} without an origin stay, --to publishes them`
    yield* Output.printResult(`${moved} ${moved === 1 ? "message" : "messages"} of ${topic} published again${kept}`, {
      topic,
      moved,
      skipped
    })
  })
).pipe(
  Command.withDescription("Publish the messages of a dead-letter topic again"),
  Command.withExamples([
    { command: "nsq redrive orders.dlq --rate 100", description: "All of them, 100 per second" },
    { command: "nsq redrive orders.dlq --contains tea --to orders.retry", description: "Some of them to another topic" }
  ])
)
