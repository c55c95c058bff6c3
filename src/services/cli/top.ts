/**
 * `nsq top`: a live view of the topics, channels and clients of a cluster. Without a terminal, and with `--json`, it prints what it
 * would show, once in each interval.
 */
import { Cause, Clock, Console, Duration, Effect, Option, Queue, Result, type Scope, Terminal } from "effect"
import { Command, Flag } from "effect/cli"
import process from "node:process"
import type { NsqdApi } from "../admin/index.ts"
import * as GoDuration from "../core/GoDuration.ts"
import { CliError, CliErrorReason, invalidArgument } from "./CliError.ts"
import * as figures from "./figures.ts"
import * as names from "./names.ts"
import * as Output from "./Output.ts"
import { root } from "./root.ts"
import { target } from "./Target.ts"
import * as Rows from "./topRows.ts"
import * as Sample from "./TopSample.ts"
import { Screen } from "./TopScreen.ts"

const escape = String.fromCharCode(27)
/** A screen of its own, which leaves what the terminal showed; no cursor. */
const enter = `${escape}[?1049h${escape}[?25l`
const leave = `${escape}[?25h${escape}[?1049l`
const home = `${escape}[H`
const clearLine = `${escape}[K`
const clearBelow = `${escape}[J`

/** Shows the view until `q`, Escape, Ctrl-C or the end of the input, and restores the terminal. `interval` is in milliseconds. */
export const view = Effect.fnUntraced(function*(
  nsqds: ReadonlyArray<NsqdApi.NsqdApi>,
  interval: number
): Effect.fn.Return<void, never, Terminal.Terminal | Scope.Scope> {
  const terminal = yield* Terminal.Terminal
  const display = (text: string) => Effect.ignore(terminal.display(text))
  yield* Effect.acquireRelease(display(enter), () => display(leave))
  const keys = yield* terminal.readInput
  const sizes = yield* terminal.size
  const screen = new Screen()
  const draw = Effect.gen(function*() {
    const [columns, rows] = [yield* terminal.columns, yield* terminal.rows]
    const lines = screen.lines(columns, rows).map((line) => `${line}${clearLine}`)
    yield* display(`${home}${lines.join("\r\n")}${clearBelow}`)
  })
  const changes = yield* Queue.sliding<void>(1)
  const sampling = Effect.gen(function*() {
    const { scope } = screen
    screen.show(yield* Sample.take(nsqds, scope), scope)
    yield* draw
    yield* Effect.timeoutOption(Queue.take(changes), interval)
  })
  const pressing = Effect.gen(function*() {
    const { key } = yield* Queue.take(keys)
    const before = screen.scope
    if (!screen.press(key)) return yield* Cause.done()
    yield* draw
    if (screen.scope.topic !== before.topic || screen.scope.channel !== before.channel) {
      yield* Queue.offer(changes, undefined)
    }
  })
  yield* Effect.raceAllFirst([
    Effect.forever(sampling),
    Effect.forever(pressing),
    Effect.andThen(Effect.forever(Effect.andThen(Queue.take(sizes), draw)), Effect.never).pipe(
      Effect.catch(() => Effect.never)
    )
  ]).pipe(Effect.ignore)
})

const { columns } = figures

/** Prints a sample: the figures of topics and channels, or JSON on one line. */
const print = Effect.fnUntraced(function*(sample: Sample.Sample, before: Sample.Sample | undefined) {
  const { json } = yield* root
  const time = new Date(yield* Clock.currentTimeMillis).toISOString()
  const rows = figures.sum(sample.nodes.map(({ stats }) => stats))
  const totals = Rows.totals(sample, before)
  if (json) {
    return yield* Console.log(JSON.stringify({
      time,
      nsqds: sample.nodes.length,
      failures: sample.failures,
      messages_per_second: Math.round(totals.perSecond),
      topics: rows
    }))
  }
  yield* Console.log([
    `${time}  ${sample.nodes.length} nsqd  ${totals.topics} ${
      totals.topics === 1 ? "topic" : "topics"
    }  backlog ${totals.backlog}  ` +
    `${Math.round(totals.perSecond)} in/s`,
    ...sample.failures,
    Output.table(
      [
        columns.topic,
        columns.channel,
        columns.depth,
        columns.inFlight,
        columns.deferred,
        columns.messages,
        columns.clients
      ],
      rows,
      "no topics"
    ),
    ""
  ].join("\n"))
})

const printAll = Effect.fnUntraced(function*(nsqds: ReadonlyArray<NsqdApi.NsqdApi>, interval: number, count: number) {
  let before: Sample.Sample | undefined
  for (let i = 0; i < count; i++) {
    if (i > 0) yield* Effect.sleep(interval)
    const sample = yield* Sample.take(nsqds, { topic: undefined, channel: undefined })
    if (sample.nodes.length === 0) {
      const description = sample.failures.join("\n")
      return yield* new CliError({ reason: CliErrorReason.DaemonFailure({ description }) })
    }
    yield* print(sample, before)
    before = sample
  }
})

/** The command. */
export const top = Command.make(
  "top",
  {
    interval: Flag.String("interval").pipe(
      Flag.withAlias("i"),
      Flag.withDescription("Time between two requests, for example 500ms. Default: 2s"),
      Flag.filterMap((text) => Result.getSuccess(GoDuration.parse(text)), () => "a duration such as 500ms or 2s"),
      Flag.optional
    ),
    count: names.integer("count").pipe(
      Flag.withAlias("n"),
      Flag.withDescription("Print this many times, without a view, and end"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ count, interval }) {
    const { json } = yield* root
    const millis = Option.match(interval, { onNone: () => 2000, onSome: Duration.toMillis })
    if (millis < 100) return yield* invalidArgument("--interval must be at least 100ms")
    if (Option.isSome(count) && count.value < 1) return yield* invalidArgument("--count must be at least 1")
    const { nsqds } = yield* target
    const nodes = yield* nsqds
    const isView = process.stdout.isTTY && process.stdin.isTTY && !json && Option.isNone(count)
    yield* isView
      ? Effect.scoped(view(nodes, millis))
      : printAll(nodes, millis, Option.getOrElse(count, () => Infinity))
  })
).pipe(
  Command.withDescription("Watch topics, channels and clients; the keys are in the last line"),
  Command.withExamples([
    { command: "nsq top --lookupd-http-address lookupd:4161", description: "A whole cluster" },
    { command: "nsq top --json --count 1", description: "What it would show, once, as JSON" }
  ])
)
