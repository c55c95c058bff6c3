/** `nsq topic` and `nsq channel`: list, create, pause, empty and delete, on every nsqd of the cluster. */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import type { AdminError, NsqdApi, NsqlookupdApi } from "../admin/index.ts"
import { CliError, CliErrorReason, missing } from "./CliError.ts"
import * as Confirmation from "./Confirmation.ts"
import * as failureText from "./failureText.ts"
import * as figures from "./figures.ts"
import * as names from "./names.ts"
import * as Output from "./Output.ts"
import { target } from "./Target.ts"

/** A call that one daemon of the cluster gets. */
type Call = Effect.Effect<void, AdminError>

const isMissing = ({ reason }: AdminError): boolean =>
  reason._tag === "TopicNotFound" || reason._tag === "ChannelNotFound"

/** Sends the calls; those that find nothing count as zero. Fails with all errors together. */
const sendAll = Effect.fnUntraced(function*(calls: ReadonlyArray<Call>) {
  const [done, failures] = yield* Effect.partition(
    calls,
    (call) => Effect.catchIf(Effect.as(call, 1), isMissing, () => Effect.succeed(0)),
    { concurrency: 16 }
  )
  if (failures.length > 0) {
    const description = failures.map(failureText.of).join("\n")
    return yield* new CliError({ reason: CliErrorReason.DaemonFailure({ description }) })
  }
  return done.reduce((total, each) => total + each, 0)
})

/** What a command does on a daemon; absent for nsqlookupd if it has no part in it. */
interface Work {
  readonly onNsqd: (nsqd: NsqdApi.NsqdApi) => Call
  readonly onLookupd?: (nsqlookupd: NsqlookupdApi.NsqlookupdApi) => Call
}

/**
 * Does the work on the whole cluster; nsqlookupd first, so that consumers do not bring back what is deleted. Fails if no nsqd has
 * what it needs, by default the subject.
 */
const everywhere = Effect.fnUntraced(function*(
  subject: string,
  past: string,
  { onLookupd, onNsqd }: Work,
  absent = `${subject} does not exist`
) {
  const { lookupds, nsqds } = yield* target
  const nodes = yield* nsqds
  if (onLookupd !== undefined) yield* sendAll(lookupds.map(onLookupd))
  const done = yield* sendAll(nodes.map(onNsqd))
  if (done === 0) return yield* missing(absent)
  yield* Output.printResult(`${subject} ${past} on ${done} of ${nodes.length} nsqd`, { [past]: subject, nsqds: done })
})

/** Asks for confirmation with the number of messages that would be lost. */
const confirmLoss = Effect.fnUntraced(function*(topic: string, channel: string | undefined, isConfirmed: boolean) {
  const { nsqds } = yield* target
  const rows = yield* figures.query(yield* nsqds, topic, channel)
  const lost = rows
    .filter((row) => row.topic === topic && (channel === undefined || row.channel === channel))
    .reduce((sum, { deferred, depth, inFlight }) => sum + depth + inFlight + deferred, 0)
  const name = channel === undefined ? topic : `${topic}/${channel}`
  const loss = lost === 0 ? "has no messages" : `has ${lost} ${lost === 1 ? "message" : "messages"}, which will be lost`
  yield* Confirmation.confirm(name, `${name} ${loss}`, isConfirmed)
})

const { columns } = figures

const list = Command.make(
  "list",
  {},
  Effect.fnUntraced(function*() {
    const { nsqds } = yield* target
    const rows = yield* figures.query(yield* nsqds, undefined, undefined)
    const backlog = (topic: string) =>
      Math.max(0, ...rows.filter((row) => row.topic === topic && row.channel !== "").map(({ depth }) => depth))
    const topics = rows.filter(({ channel }) => channel === "").map(({ depth, messages, nodes, paused, topic }) => ({
      topic,
      backlog: depth + backlog(topic),
      channels: rows.filter((row) => row.topic === topic && row.channel !== "").length,
      messages,
      nodes,
      paused
    }))
    yield* Output.printRows(
      [
        columns.topic,
        { heading: "BACKLOG", cell: ({ backlog }) => backlog },
        { heading: "CHANNELS", cell: ({ channels }) => channels },
        columns.messages,
        columns.nodes,
        columns.paused
      ],
      topics,
      "no topics; publish to create one: nsq pub TOPIC MESSAGE"
    )
  })
).pipe(
  Command.withDescription("List topics with their backlog"),
  Command.withExamples([{ command: "nsq topic list --context prod", description: "The topics of a named cluster" }])
)

/** A command on a topic that every nsqd gets. */
const onTopic = <const Name extends string>(
  name: Name,
  past: string,
  description: string,
  work: (topic: string) => Work
) =>
  Command.make(
    name,
    { topic: names.topic },
    ({ topic }) => everywhere(`topic ${topic}`, past, work(topic))
  ).pipe(
    Command.withDescription(description),
    Command.withExamples([{ command: `nsq topic ${name} orders`, description: "On the nsqd of this machine" }])
  )

/** A command on a topic that loses messages. */
const onTopicConfirmed = <const Name extends string>(
  name: Name,
  past: string,
  description: string,
  work: (topic: string) => Work
) =>
  Command.make(
    name,
    { topic: names.topic, yes: Confirmation.yes },
    ({ topic, yes }) =>
      Effect.andThen(confirmLoss(topic, undefined, yes), everywhere(`topic ${topic}`, past, work(topic)))
  ).pipe(
    Command.withDescription(description),
    Command.withExamples([
      { command: `nsq topic ${name} orders --yes`, description: "In a script, without a confirmation" }
    ])
  )

/** The command `nsq topic`. */
export const topicCommand = Command.make("topic").pipe(
  Command.withDescription("List, create, pause, empty and delete topics"),
  Command.withSubcommands([
    list,
    onTopic("create", "created", "Create a topic on every nsqd", (topic) => ({
      onNsqd: ({ createTopic }) => createTopic(topic),
      onLookupd: ({ createTopic }) => createTopic(topic)
    })),
    onTopic("pause", "paused", "Stop the flow of messages from a topic to its channels", (topic) => ({
      onNsqd: ({ pauseTopic }) => pauseTopic(topic)
    })),
    onTopic("unpause", "resumed", "Resume a paused topic", (topic) => ({
      onNsqd: ({ unpauseTopic }) => unpauseTopic(topic)
    })),
    onTopicConfirmed("empty", "emptied", "Delete the messages that no channel has yet", (topic) => ({
      onNsqd: ({ emptyTopic }) => emptyTopic(topic)
    })),
    onTopicConfirmed("delete", "deleted", "Delete a topic with its channels and messages", (topic) => ({
      onNsqd: ({ deleteTopic }) => deleteTopic(topic),
      onLookupd: ({ deleteTopic }) => deleteTopic(topic)
    }))
  ]),
  Command.withExamples([
    { command: "nsq topic list --lookupd-http-address lookupd:4161", description: "Topics of a cluster" },
    { command: "nsq topic delete orders", description: "Delete a topic, after confirmation" }
  ])
)

const listChannels = Command.make(
  "list",
  { topic: names.topic.pipe(Argument.withDescription("Only the channels of this topic"), Argument.optional) },
  Effect.fnUntraced(function*({ topic }) {
    const { nsqds } = yield* target
    const rows = yield* figures.query(yield* nsqds, Option.getOrUndefined(topic), undefined)
    if (Option.isSome(topic) && rows.length === 0) return yield* missing(`topic ${topic.value} does not exist`)
    const channels = rows.filter(({ channel }) => channel !== "")
      .map(({ channel, clients, deferred, depth, inFlight, nodes, paused, topic }) => ({
        topic,
        channel,
        depth,
        inFlight,
        deferred,
        clients,
        nodes,
        paused
      }))
    yield* Output.printRows(
      [
        columns.topic,
        columns.channel,
        columns.depth,
        columns.inFlight,
        columns.deferred,
        columns.clients,
        columns.nodes,
        columns.paused
      ],
      channels,
      "no channels; consume to create one: nsq sub TOPIC CHANNEL"
    )
  })
).pipe(
  Command.withDescription("List channels with their messages and consumers"),
  Command.withExamples([{ command: "nsq channel list orders --context prod", description: "The channels of a topic" }])
)

/** A command on a channel that every nsqd gets. `absent` says what is missing if none has done it. */
const onChannel = <const Name extends string>(
  name: Name,
  past: string,
  description: string,
  work: (topic: string, channel: string) => Work,
  absent?: (topic: string) => string
) =>
  Command.make(
    name,
    { topic: names.topic, channel: names.channel },
    ({ channel, topic }) => everywhere(`channel ${topic}/${channel}`, past, work(topic, channel), absent?.(topic))
  ).pipe(
    Command.withDescription(description),
    Command.withExamples([
      { command: `nsq channel ${name} orders kitchen --context prod`, description: "On every nsqd of a named cluster" }
    ])
  )

/** A command on a channel that loses messages. */
const onChannelConfirmed = <const Name extends string>(
  name: Name,
  past: string,
  description: string,
  work: (topic: string, channel: string) => Work
) =>
  Command.make(
    name,
    { topic: names.topic, channel: names.channel, yes: Confirmation.yes },
    ({ channel, topic, yes }) =>
      Effect.andThen(
        confirmLoss(topic, channel, yes),
        everywhere(`channel ${topic}/${channel}`, past, work(topic, channel))
      )
  ).pipe(
    Command.withDescription(description),
    Command.withExamples([
      { command: `nsq channel ${name} orders kitchen --yes`, description: "In a script, without a confirmation" }
    ])
  )

/** The command `nsq channel`. */
export const channelCommand = Command.make("channel").pipe(
  Command.withDescription("List, create, pause, empty and delete channels"),
  Command.withSubcommands([
    listChannels,
    onChannel(
      "create",
      "created",
      "Create a channel on every nsqd that has the topic",
      (topic, channel) => ({
        onNsqd: ({ createChannel }) => createChannel(topic, channel),
        onLookupd: ({ createChannel }) => createChannel(topic, channel)
      }),
      (topic) => `topic ${topic} does not exist; create it first: nsq topic create ${topic}`
    ),
    onChannel("pause", "paused", "Stop deliveries of a channel", (topic, channel) => ({
      onNsqd: ({ pauseChannel }) => pauseChannel(topic, channel)
    })),
    onChannel("unpause", "resumed", "Resume a paused channel", (topic, channel) => ({
      onNsqd: ({ unpauseChannel }) => unpauseChannel(topic, channel)
    })),
    onChannelConfirmed("empty", "emptied", "Delete the messages of a channel", (topic, channel) => ({
      onNsqd: ({ emptyChannel }) => emptyChannel(topic, channel)
    })),
    onChannelConfirmed("delete", "deleted", "Delete a channel with its messages", (topic, channel) => ({
      onNsqd: ({ deleteChannel }) => deleteChannel(topic, channel),
      onLookupd: ({ deleteChannel }) => deleteChannel(topic, channel)
    }))
  ]),
  Command.withExamples([
    { command: "nsq channel pause orders kitchen", description: "Stop deliveries, for example before a deployment" }
  ])
)
