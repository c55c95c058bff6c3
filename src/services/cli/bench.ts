/** `nsq bench`: how many messages per second an nsqd takes and delivers, and how long each takes. */
import { Console, Effect, Option, Random } from "effect"
import { Command, Flag } from "effect/cli"
import type { NsqdApi } from "../admin/index.ts"
import * as Runs from "./benchRuns.ts"
import { daemonFailure, invalidArgument } from "./CliError.ts"
import * as names from "./names.ts"
import * as ProgressBar from "./ProgressBar.ts"
import { root } from "./root.ts"
import { target } from "./Target.ts"

const number = (name: string, alias: string | undefined, initial: number, description: string) => {
  const flag = names.integer(name).pipe(Flag.withDescription(description), Flag.withDefault(initial))
  return alias === undefined ? flag : Flag.withAlias(flag, alias)
}

const flags = {
  count: number("count", "n", 100_000, "Messages in all"),
  size: number("size", "s", 200, "Bytes of a message"),
  connections: number("connections", "C", 1, "Connections, each of a producer and of a consumer"),
  inFlight: number("in-flight", undefined, 100, "Publishes that a connection has in flight"),
  topic: names.topicFlag.pipe(
    Flag.withDescription("Topic to use and to keep. Default: one of its own, which is deleted at the end"),
    Flag.optional
  )
}

interface Input {
  readonly count: number
  readonly size: number
  readonly connections: number
  readonly inFlight: number
  readonly topic: Option.Option<string>
}

const limits: ReadonlyArray<readonly [name: "count" | "size" | "connections" | "inFlight", flag: string, max: number]> =
  [
    ["count", "--count", 1_000_000_000],
    ["size", "--size", 16 * 1024 * 1024],
    ["connections", "--connections", 1000],
    ["inFlight", "--in-flight", 10_000]
  ]

const percentile = (sorted: ReadonlyArray<number>, percent: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))] ?? 0

const rounded = (value: number): number => Number(value.toPrecision(4))

/** The latencies in milliseconds; absent without any. */
const latencyOf = (times: ReadonlyArray<number>) => {
  if (times.length === 0) return undefined
  const sorted = times.toSorted((a, b) => a - b)
  return {
    p50: rounded(percentile(sorted, 50)),
    p99: rounded(percentile(sorted, 99)),
    max: rounded(sorted.at(-1) ?? 0)
  }
}

const grouped = new Intl.NumberFormat("en-US")

const report = Effect.fnUntraced(function*(
  mode: string,
  size: number,
  latencyIsOf: string,
  { messages, seconds, times }: Runs.Measured
) {
  const { json } = yield* root
  const rate = messages / Math.max(seconds, 1e-9)
  const latency = latencyOf(times)
  if (json) {
    const figures = { mode, messages, size, seconds: rounded(seconds), messages_per_second: Math.round(rate) }
    return yield* Console.log(JSON.stringify(latency === undefined ? figures : { ...figures, latency_ms: latency }))
  }
  const megabytes = (rate * size / 1_000_000).toFixed(1)
  const lines = [
    `${mode}: ${grouped.format(messages)} messages of ${grouped.format(size)} bytes in ${seconds.toFixed(2)} s`,
    `${grouped.format(Math.round(rate))} messages/s, ${megabytes} MB/s`
  ]
  if (latency !== undefined) {
    lines.push(`${latencyIsOf}: median ${latency.p50} ms, 99 % ${latency.p99} ms, maximum ${latency.max} ms`)
  }
  yield* Console.log(lines.join("\n"))
})

/** Creates the topic and its channel, and deletes the topic at the end unless it was named. Returns its name. */
const prepared = Effect.fnUntraced(function*(
  nsqds: ReadonlyArray<NsqdApi.NsqdApi>,
  given: Option.Option<string>,
  withChannel: boolean
) {
  const topic = Option.getOrElse(given, () => "")
  const name = topic === ""
    ? `nsq_bench_${String(yield* Random.nextIntBetween(0, 1_000_000)).padStart(6, "0")}`
    : topic
  const everywhere = (call: (nsqd: NsqdApi.NsqdApi) => ReturnType<NsqdApi.NsqdApi["createTopic"]>) =>
    Effect.forEach(nsqds, call, { concurrency: 16, discard: true })
  yield* Effect.acquireRelease(
    Effect.mapError(everywhere(({ createTopic }) => createTopic(name)), daemonFailure),
    () => topic === "" ? Effect.ignore(everywhere(({ deleteTopic }) => deleteTopic(name))) : Effect.void
  )
  if (withChannel) {
    yield* Effect.mapError(everywhere(({ createChannel }) => createChannel(name, Runs.channel)), daemonFailure)
  }
  return name
})

/** Checks the input, prepares the topic, and returns the load. */
const loadOf = Effect.fnUntraced(function*(input: Input, batch: number, rate: number, withChannel: boolean) {
  for (const [name, flag, max] of limits) {
    if (input[name] < 1 || input[name] > max) {
      return yield* invalidArgument(`${flag} must be from 1 to ${max}`)
    }
  }
  const { connection, nsqds, servers } = yield* target
  const { connections, count, inFlight, size } = input
  const topic = yield* prepared(yield* nsqds, input.topic, withChannel)
  const load: Runs.Load = {
    servers: yield* servers,
    connection,
    topic,
    count,
    size,
    connections,
    inFlight,
    batch,
    rate
  }
  return load
})

const measured = <E extends { readonly message: string }, R>(
  label: string,
  load: Runs.Load,
  run: (load: Runs.Load, progress: ProgressBar.Progress) => Effect.Effect<Runs.Measured, E, R>
) =>
  Effect.scoped(
    Effect.flatMap(
      ProgressBar.make(label, load.count),
      (progress) => Effect.mapError(run(load, progress), daemonFailure)
    )
  )

const replies = "reply to a publish"
const deliveries = "publish to delivery"

const pub = Command.make(
  "pub",
  flags,
  (input) =>
    Effect.scoped(Effect.gen(function*() {
      const load = yield* loadOf(input, 1, Infinity, false)
      yield* report("pub", load.size, replies, yield* measured("publishing", load, Runs.publish))
    }))
).pipe(
  Command.withDescription("Publish one message at a time (PUB)"),
  Command.withExamples([
    { command: "nsq bench pub --connections 4", description: "100,000 messages of 200 bytes over 4 connections" },
    {
      command: "nsq bench pub -n 1000 --in-flight 1",
      description: "Each publish waits for the reply to the one before"
    }
  ])
)

const mpub = Command.make(
  "mpub",
  { ...flags, batch: number("batch", "b", 200, "Messages of a publish") },
  (input) =>
    Effect.scoped(Effect.gen(function*() {
      if (input.batch < 1) return yield* invalidArgument("--batch must be at least 1")
      const load = yield* loadOf(input, input.batch, Infinity, false)
      const inFlight = Math.max(1, Math.floor(load.inFlight / input.batch))
      const result = yield* measured("publishing", { ...load, inFlight }, Runs.publish)
      yield* report("mpub", load.size, replies, result)
    }))
).pipe(
  Command.withDescription("Publish many messages at a time (MPUB)"),
  Command.withExamples([{ command: "nsq bench mpub -n 1000000 --batch 500", description: "A million, 500 at a time" }])
)

const sub = Command.make(
  "sub",
  flags,
  (input) =>
    Effect.scoped(Effect.gen(function*() {
      const load = yield* loadOf(input, 1, Infinity, true)
      const filling = { ...load, batch: Math.min(200, load.count), inFlight: 1 }
      yield* measured("filling the channel", filling, Runs.publish)
      yield* report("sub", load.size, deliveries, yield* measured("consuming", load, Runs.subscribe))
    }))
).pipe(
  Command.withDescription("Consume messages that it has published before"),
  Command.withExamples([{ command: "nsq bench sub --connections 2", description: "With two consumers" }])
)

const both = Command.make(
  "both",
  flags,
  (input) =>
    Effect.scoped(Effect.gen(function*() {
      const load = yield* loadOf(input, 1, Infinity, true)
      yield* report("both", load.size, deliveries, yield* measured("publishing and consuming", load, Runs.both))
    }))
).pipe(
  Command.withDescription("Publish and consume at the same time"),
  Command.withExamples([{ command: "nsq bench both --size 1000", description: "Messages of 1,000 bytes" }])
)

const latency = Command.make(
  "latency",
  {
    ...flags,
    count: number("count", "n", 10_000, "Messages in all"),
    rate: number("rate", "r", 1000, "Messages per second")
  },
  (input) =>
    Effect.scoped(Effect.gen(function*() {
      if (input.rate < 1) return yield* invalidArgument("--rate must be at least 1")
      const load = yield* loadOf(input, 1, input.rate, true)
      yield* report("latency", load.size, deliveries, yield* measured("publishing and consuming", load, Runs.both))
    }))
).pipe(
  Command.withDescription("Measure the time from a publish to its delivery, at a constant rate"),
  Command.withExamples([{ command: "nsq bench latency --rate 5000 -n 50000", description: "For 10 seconds" }])
)

/** The command. */
export const bench = Command.make("bench").pipe(
  Command.withDescription("Measure how fast an nsqd takes and delivers messages"),
  Command.withSubcommands([pub, mpub, sub, both, latency]),
  Command.withExamples([
    { command: "nsq bench pub", description: "100,000 messages to the nsqd of this machine" },
    { command: "nsq bench latency --json", description: "Latencies as JSON" }
  ])
)
