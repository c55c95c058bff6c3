/** `nsq peek`: shows messages without consuming them. */
import { Console, Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { MessagesPage } from "../../protocol/http/MessagesResponse.ts"
import type { AdminError, NsqdApi } from "../admin/index.ts"
import { daemonFailure, invalidArgument, missing } from "./CliError.ts"
import * as names from "./names.ts"
import { placeOf } from "./place.ts"
import { root } from "./root.ts"
import { target } from "./Target.ts"

type Message = MessagesPage["messages"][number]

const maxPage = 1000
/** The most that nsqd returns of a body. */
const wholeBody = 1024 * 1024

const isMissing = ({ reason }: AdminError): boolean =>
  reason._tag === "TopicNotFound" || reason._tag === "ChannelNotFound"

const timeOf = (timestamp: string): string => new Date(Number(BigInt(timestamp) / 1_000_000n)).toISOString()

/** One line of text for a message. */
const textOf = (
  { attempts, body, body_base64: binary, body_size: size, client, due, id, sequence, state, timestamp }: Message
) => {
  const shown = body ?? (binary === undefined ? "" : Buffer.from(binary, "base64").toString())
  const cut = Buffer.byteLength(shown) < size && binary === undefined ? `... (${size} bytes)` : ""
  const where = client !== undefined
    ? ` at ${client}`
    : due !== undefined
    ? ` until ${new Date(due).toISOString()}`
    : ""
  const head = `${sequence ?? id}  ${timeOf(timestamp)}  ${state}${where}${
    attempts > 0 ? `, ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}` : ""
  }`
  // Line ends in a body would look like the next message.
  return `${head}  ${shown.replaceAll("\n", "\\n")}${cut}`
}

/** Returns up to `limit` messages of an nsqd. */
const browse = Effect.fnUntraced(function*(
  nsqd: NsqdApi.NsqdApi,
  topic: string,
  limit: number,
  options: NsqdApi.BrowseOptions
) {
  const found: Array<Message> = []
  let from = options.from
  for (;;) {
    const page = yield* nsqd.messages(topic, {
      ...options,
      limit: Math.min(maxPage, limit - found.length),
      ...from !== undefined && { from }
    })
    found.push(...page.messages)
    if (page.next === null || found.length >= limit) return found
    from = String(page.next)
  }
})

/** Shows all messages of a range, of one nsqd after another, as they are read. */
const range = Effect.fnUntraced(function*(
  nodes: ReadonlyArray<NsqdApi.NsqdApi>,
  topic: string,
  json: boolean,
  options: NsqdApi.ReadOptions
) {
  let found = 0
  for (const nsqd of nodes) {
    const exists = yield* nsqd.readMessages(topic, options).pipe(
      Stream.runForEach((message) =>
        Console.log(json ? JSON.stringify({ nsqd: nsqd.address, ...message }) : textOf(message))
      ),
      Effect.as(true),
      Effect.catchIf(isMissing, () => Effect.succeed(false)),
      Effect.mapError(daemonFailure)
    )
    if (exists) found++
  }
  if (found === 0) return yield* missing(`topic ${topic} does not exist`)
})

type States = NonNullable<NsqdApi.BrowseOptions["state"]> | "all"

const notFinished: States = ["waiting", "in_flight", "deferred"]

const states: ReadonlyArray<readonly [string, States]> = [
  ["waiting", "waiting"],
  ["in_flight", "in_flight"],
  ["deferred", "deferred"],
  ["retained", "retained"],
  ["dead", "dead"],
  ["all", "all"]
]

const optional = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

/** The command. */
export const peek = Command.make(
  "peek",
  {
    topic: names.topic,
    channel: Argument.String("channel").pipe(
      Argument.withDescription("Show the state of each message in this channel; without it, in the topic"),
      Argument.optional
    ),
    count: names.integer("count").pipe(
      Flag.withAlias("n"),
      Flag.withDescription("The most messages of each nsqd"),
      Flag.withDefault(10)
    ),
    state: Flag.ChoiceWithValue("state", states).pipe(
      Flag.withDescription("Only messages in this state; default: those that are not finished"),
      Flag.optional
    ),
    from: optional("from", "Where to start: beginning, a sequence, or a time as in 2026-11-29T08:00:00Z"),
    to: optional("to", "Show all messages before this place, or before the end: whole bodies, without --count"),
    contains: optional("contains", "Only bodies with this text"),
    where: names.where,
    regex: optional("regex", "Only bodies that this regular expression matches"),
    full: Flag.Boolean("full").pipe(
      Flag.withDescription("Show whole bodies, up to 1 MiB, in place of their first 4 KiB"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*({ channel, contains, count, from, full, regex, state, to, topic, where }) {
    if (count < 1) return yield* invalidArgument("--count must be at least 1")
    if (Option.isSome(to) && Option.isSome(Option.orElse(channel, () => state))) {
      return yield* invalidArgument("--to shows a range of the topic: omit the channel and --state")
    }
    const { json } = yield* root
    const { nsqds } = yield* target
    const filter = {
      ...Option.isSome(contains) && { contains: contains.value },
      ...Option.isSome(where) && { json: where.value },
      ...Option.isSome(regex) && { regex: regex.value }
    }
    if (Option.isSome(to)) {
      return yield* range(yield* nsqds, topic, json, {
        to: yield* placeOf(to.value),
        ...Option.isSome(from) && { from: yield* placeOf(from.value) },
        ...filter
      })
    }
    const wanted = Option.getOrElse(state, () => notFinished)
    const options: NsqdApi.BrowseOptions = {
      ...Option.isSome(channel) && { channel: channel.value },
      ...wanted !== "all" && { state: wanted },
      ...Option.isSome(from) && { from: from.value },
      ...filter,
      ...full && { bodyBytes: wholeBody }
    }
    const nodes = yield* nsqds
    const pages = yield* Effect.forEach(
      nodes,
      (nsqd) =>
        browse(nsqd, topic, count, options).pipe(
          Effect.map((messages) => ({ address: nsqd.address, messages })),
          Effect.catchIf(isMissing, () => Effect.void)
        ),
      { concurrency: 16 }
    ).pipe(Effect.mapError(daemonFailure))
    const found = pages.filter((page) => page !== undefined)
    const subject = Option.isSome(channel) ? `channel ${topic}/${channel.value}` : `topic ${topic}`
    if (found.length === 0) return yield* missing(`${subject} does not exist`)
    for (const { address, messages } of found) {
      if (!json && nodes.length > 1) yield* Console.log(`${address}: ${messages.length} messages`)
      for (const message of messages) {
        yield* Console.log(json ? JSON.stringify({ nsqd: address, ...message }) : textOf(message))
      }
    }
    if (!json && found.every(({ messages }) => messages.length === 0)) yield* Console.log("no such messages")
  })
).pipe(
  Command.withDescription("Show messages of a topic or a channel without consuming them"),
  Command.withExamples([
    {
      command: "nsq peek orders kitchen --state waiting",
      description: "The first 10 messages that wait in the channel"
    },
    {
      command: "nsq peek orders --where user.id=42 --from 2026-11-29T08:00:00Z",
      description: "Find messages by their JSON"
    },
    {
      command: "nsq peek orders --from 2026-11-29T00:00:00Z --to 2026-11-30T00:00:00Z --json",
      description: "All messages of a day, whose channels do not notice"
    },
    { command: "nsq peek orders kitchen --state in_flight --json", description: "Which consumer has which message" }
  ])
)
