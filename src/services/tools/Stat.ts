/**
 * `nsq_stat`: prints the figures of one channel, over all nsqd that have it, every interval (docs/protocol/tools.md#nsq_stat).
 */
import { Duration, Effect, Result } from "effect"
import type { ChannelSum } from "../cluster/ChannelSum.ts"
import type { DaemonHttp } from "../http/DaemonHttp.ts"
import type * as HttpClients from "../http/HttpClients.ts"
import * as NodeDaemonHttp from "../http/NodeDaemonHttp.ts"
import * as DaemonNetworks from "../net/DaemonNetworks.ts"
import * as PeerOptions from "../options/DaemonPeerOptions.ts"
import * as LogOptions from "../options/LogOptions.ts"
import type { LogFormat } from "../options/LogOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import * as OptionTable from "../options/OptionTable.ts"
import * as ClusterStats from "./ClusterStats.ts"
import * as HttpCalls from "./HttpCalls.ts"
import * as StandardOutput from "./StandardOutput.ts"
import { invalidOption, type ToolError, toolError } from "./ToolError.ts"

/** Options of `nsq_stat`. */
export interface StatOptions extends HttpClients.HttpOptions {
  readonly logFormat: LogFormat
  readonly topic: string
  readonly channel: string
  readonly nsqdHttpAddresses: ReadonlyArray<string>
  readonly lookupdHttpAddresses: ReadonlyArray<string>
  readonly interval: Duration.Duration
  readonly allowedDaemonNetworks: ReadonlyArray<string>
  readonly maxDaemonResponseSize: number
  /** Lines to print; `Infinity` for no limit. */
  readonly count: number
}

const none = (): ReadonlyArray<string> => []

/** The flags of `nsq_stat`. */
export const table = {
  logFormat: LogOptions.formatRow,
  ...HttpCalls.table("5 seconds"),
  topic: row("topic", Kind.string, () => "", "topic of the channel"),
  channel: row("channel", Kind.string, () => "", "channel to watch"),
  nsqdHttpAddresses: row("nsqd-http-address", Kind.strings, none, "nsqd HTTP address (may be given several times)"),
  lookupdHttpAddresses: row(
    "lookupd-http-address",
    Kind.strings,
    none,
    "nsqlookupd HTTP address (may be given several times)"
  ),
  allowedDaemonNetworks: PeerOptions.allowedDaemonNetworks,
  maxDaemonResponseSize: PeerOptions.maxDaemonResponseSize,
  interval: row("interval", Kind.duration, () => Duration.seconds(2), "time between two lines"),
  count: row("count", { ...Kind.int, format: () => "" }, () => Infinity, "number of lines to print")
}

/** Returns the defaults. */
export const defaults = (): StatOptions => OptionTable.defaults(table)

/** Returns why the options are not valid, or `undefined`. */
const problem = (options: StatOptions): string | undefined => {
  const { lookupdHttpAddresses: lookupd, nsqdHttpAddresses: nsqd } = options
  if (options.topic === "" || options.channel === "") return "--topic and --channel are required"
  if (!Duration.isPositive(options.interval)) return "--interval should be positive"
  if (options.count <= 0) return "--count should be positive"
  if (nsqd.length === 0 && lookupd.length === 0) return "--nsqd-http-address or --lookupd-http-address required"
  if (nsqd.length > 0 && lookupd.length > 0) return "use --nsqd-http-address or --lookupd-http-address not both"
  if ([...nsqd, ...lookupd].some((address) => address.startsWith("http"))) {
    return `--${nsqd.length > 0 ? "nsqd" : "lookupd"}-http-address error - address should not contain scheme`
  }
  return undefined
}

const columns = (values: ReadonlyArray<string | number>): string => {
  const [ingress, egress, total, mem, disk, inflt, def, req, timeouts, msgs, clients] = values.map((value, i) =>
    String(value).padStart(i === 9 ? 12 : i === 5 || i === 6 ? 5 : 7)
  )
  return `${ingress} ${egress} | ${total} ${mem} ${disk} ${inflt} ${def} | ${req} ${timeouts} ${msgs} ${clients}\n`
}

/** The two header lines. */
export const header = "------rate------+----------------depth----------------+--------------metadata---------------\n" +
  columns(["ingress", "egress", "total", "mem", "disk", "inflt", "def", "req", "t-o", "msgs", "clients"])

/** Returns the line of figures. Rates are per second since the sample `before`. */
export const line = (before: ChannelSum, now: ChannelSum, seconds: number): string => {
  const ingress = now.messages - before.messages
  const egress = ingress - (now.depth - before.depth)
  return columns([
    truncate(ingress / seconds),
    truncate(egress / seconds),
    now.depth,
    now.depth - now.backendDepth,
    now.backendDepth,
    now.inFlight,
    now.deferred,
    now.requeues,
    now.timeouts,
    now.messages,
    now.clients
  ])
}

/** Rounds towards zero, without a negative zero. */
const truncate = (value: number): number => Math.trunc(value) + 0

const headerEvery = 25

/** Prints a line every interval, and the header at every 25th poll, up to `count` lines. */
export const poll = Effect.fnUntraced(function*(
  options: StatOptions,
  sources: ClusterStats.Sources,
  print: (text: string) => Effect.Effect<void, ToolError>
): Effect.fn.Return<void, ToolError, DaemonHttp> {
  const { channel, count, interval, topic } = options
  const prefixed = (what: string) => ({ message }: ToolError) =>
    toolError("DaemonFailure", `ERROR: failed to get ${what} - ${message}`)
  let before: ChannelSum | undefined
  for (let round = 0; round <= count; round++) {
    const producers = yield* Effect.mapError(
      ClusterStats.topicProducers(sources, topic),
      prefixed("topic producers")
    )
    const now = yield* Effect.mapError(
      ClusterStats.channelStats(producers, topic, channel),
      prefixed("nsqd stats")
    )
    if (now === undefined) {
      return yield* toolError(
        "MissingChannel",
        `ERROR: failed to find channel(${channel}) in stats metadata for topic(${topic})`
      )
    }
    if (round % headerEvery === 0) yield* print(header)
    if (before !== undefined) yield* print(line(before, now, Duration.toSeconds(interval)))
    before = now
    yield* Effect.sleep(interval)
  }
})

/** Checks the options and prints. */
export const main = Effect.fn("nsq_stat")(function*(options: StatOptions): Effect.fn.Return<void, ToolError> {
  yield* HttpCalls.check(options)
  const wrong = problem(options)
  if (wrong !== undefined) return yield* invalidOption(wrong)
  const networks = DaemonNetworks.parse(options.allowedDaemonNetworks)
  if (Result.isFailure(networks)) {
    return yield* invalidOption(`--allowed-daemon-networks error - ${networks.failure.message}`)
  }
  const { lookupdHttpAddresses: lookupd, nsqdHttpAddresses: nsqd } = options
  yield* poll(options, nsqd.length > 0 ? { nsqd } : { lookupd }, StandardOutput.print).pipe(
    Effect.provide(NodeDaemonHttp.layer(options)),
    Effect.provideService(DaemonNetworks.DaemonNetworks, DaemonNetworks.make(networks.success))
  )
})
