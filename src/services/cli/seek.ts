/** `nsq seek`: moves a channel of a durable topic to another place of the topic's log, on every nsqd of the cluster. */
import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import type { AdminError, NsqdApi } from "../admin/index.ts"
import { daemonFailure, invalidArgument, missing } from "./CliError.ts"
import * as Confirmation from "./Confirmation.ts"
import * as names from "./names.ts"
import * as Output from "./Output.ts"
import { placeOf } from "./place.ts"
import { target } from "./Target.ts"

const isMissing = ({ reason }: AdminError): boolean =>
  reason._tag === "TopicNotFound" || reason._tag === "ChannelNotFound"

/** Moves the channel on the nsqds that have it, or previews that. */
const onEach = Effect.fnUntraced(function*(
  nsqds: ReadonlyArray<NsqdApi.NsqdApi>,
  topic: string,
  channel: string,
  to: NsqdApi.LogPlace,
  preview: boolean
) {
  const results = yield* Effect.forEach(
    nsqds,
    (nsqd) =>
      nsqd.seek(topic, channel, to, { preview }).pipe(
        Effect.map((seek) => ({ nsqd: nsqd.address, ...seek })),
        Effect.catchIf(isMissing, () => Effect.void)
      ),
    { concurrency: 16 }
  ).pipe(Effect.mapError(daemonFailure))
  return results.filter((result) => result !== undefined)
})

/** The command. */
export const seek = Command.make(
  "seek",
  {
    topic: names.topic,
    channel: names.channel,
    to: Argument.String("to").pipe(
      Argument.withDescription("beginning, end, a time as in 2026-11-29T08:00:00Z, or a sequence")
    ),
    yes: Confirmation.yes
  },
  Effect.fnUntraced(function*({ channel, to, topic, yes }) {
    const place = yield* placeOf(to)
    const { nsqds } = yield* target
    const nodes = yield* nsqds
    if (typeof place === "number" && nodes.length > 1) {
      return yield* invalidArgument("sequences differ between nsqds: give one nsqd with --nsqd-http-address, or a time")
    }
    const name = `${topic}/${channel}`
    const previews = yield* onEach(nodes, topic, channel, place, true)
    if (previews.length === 0) return yield* missing(`channel ${name} does not exist`)
    const messages = previews.reduce((sum, preview) => sum + preview.messages, 0)
    yield* Confirmation.confirm(
      name,
      `${name} gets ${messages} messages from ${to} on, and forgets those in flight`,
      yes
    )
    const moved = yield* onEach(nodes, topic, channel, place, false)
    yield* Output.printRows(
      [
        { heading: "NSQD", cell: ({ nsqd }) => nsqd },
        { heading: "SEQUENCE", cell: ({ sequence }) => sequence },
        { heading: "MESSAGES", cell: (row) => row.messages }
      ],
      moved.map(({ messages: waiting, nsqd, sequence }) => ({ nsqd, sequence, messages: waiting })),
      `channel ${name} does not exist any more`
    )
  })
).pipe(
  Command.withDescription("Move a channel of a durable topic to another place of the topic's log"),
  Command.withExamples([
    { command: "nsq seek orders kitchen 2026-11-29T08:00:00Z", description: "Deliver again what came since then" },
    { command: "nsq seek orders kitchen end --yes", description: "Skip all that waits, in a script" }
  ])
)
