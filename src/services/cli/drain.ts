/** `nsq node drain`: takes nsqds out of service without leaving messages on them. */
import { Duration, Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { NsqdApi } from "../admin/index.ts"
import * as GoDuration from "../core/GoDuration.ts"
import { CliError, CliErrorReason, daemonFailure } from "./CliError.ts"
import * as Output from "./Output.ts"
import * as ProgressBar from "./ProgressBar.ts"

const interval = "500 millis"

type Progress = Effect.Success<NsqdApi.NsqdApi["drainProgress"]>

/** The messages that a drain waits for. */
const remainingOf = ({ topics }: Progress): number =>
  topics.filter((topic) => topic.waited_for).reduce(
    (sum, { deferred_count: deferred, depth, in_flight_count: inFlight }) => sum + depth + inFlight + deferred,
    0
  )

const waitedFor = ({ topics }: Progress): string =>
  topics.filter((topic) => topic.waited_for).map(({ topic_name: name }) => name).join(", ")

/** Waits until the nsqd has no more messages. */
const untilDrained = Effect.fnUntraced(function*(nsqd: NsqdApi.NsqdApi, first: Progress) {
  const total = remainingOf(first)
  const bar = yield* ProgressBar.make(`draining ${nsqd.address}`, total)
  let progress = first
  while (!progress.drained) {
    bar.set(Math.max(0, total - remainingOf(progress)))
    bar.note(waitedFor(progress))
    yield* Effect.sleep(interval)
    progress = yield* nsqd.drainProgress
  }
})

const timedOut = (nsqd: NsqdApi.NsqdApi) =>
  Effect.flatMap(Effect.mapError(nsqd.drainProgress, daemonFailure), (progress) =>
    progress.drained
      ? Effect.void
      : Effect.fail(
        new CliError({
          reason: CliErrorReason.DaemonFailure({
            description:
              `${nsqd.address} still drains: ${remainingOf(progress)} messages of ${waitedFor(progress)} are left; ` +
              `a topic without channels, a paused one and a channel without consumers keep them. ` +
              `nsq node drain ${nsqd.address} waits again, with --cancel it ends the drain`
          })
        })
      ))

/** The command. */
export const drain = Command.make(
  "drain",
  {
    node: Argument.String("node").pipe(Argument.withDescription("<host>:<HTTP port> of the nsqd")),
    timeout: Flag.String("timeout").pipe(
      Flag.withDescription("End with code 1 after this time, for example 10m; the drain goes on. Default: no limit"),
      Flag.filterMap((text) => Result.getSuccess(GoDuration.parse(text)), () => "a duration such as 90s or 10m"),
      Flag.optional
    ),
    cancel: Flag.Boolean("cancel").pipe(
      Flag.withDescription("End a drain: the nsqd accepts publishes again"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*({ cancel, node, timeout }) {
    const nsqd = yield* NsqdApi.make(node)
    if (cancel) {
      yield* Effect.mapError(nsqd.endDrain, daemonFailure)
      return yield* Output.printResult(`${node} accepts publishes`, { node, draining: false })
    }
    const first = yield* Effect.mapError(nsqd.drain, daemonFailure)
    const waiting = Effect.scoped(Effect.mapError(untilDrained(nsqd, first), daemonFailure))
    yield* Option.isNone(timeout)
      ? waiting
      : Effect.timeoutOrElse(waiting, {
        duration: Duration.fromInputUnsafe(timeout.value),
        orElse: () => timedOut(nsqd)
      })
    yield* Output.printResult(`${node} has no more messages and refuses publishes; it can be stopped`, {
      node,
      draining: true,
      drained: true
    })
  })
).pipe(
  Command.withDescription("Let consumers empty an nsqd, which refuses publishes meanwhile; waits until it is empty"),
  Command.withExamples([
    { command: "nsq node drain nsqd-1:4151 --timeout 10m", description: "Before nsqd-1 is stopped for good" },
    { command: "nsq node drain nsqd-1:4151 --cancel", description: "Take it back into service" }
  ])
)
