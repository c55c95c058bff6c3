/**
 * `to_nsq`: publishes standard input, split at a byte, to every configured nsqd (docs/protocol/tools.md#to_nsq).
 */
import { Clock, Deferred, Effect, type Scope, Stream } from "effect"
import type { HttpClient } from "effect/http"
import process from "node:process"
import { type ClientError, NsqdConnection, Producer } from "../client/index.ts"
import { limitsOfServer } from "../client/ProducerOptions.ts"
import { version } from "../core/Version.ts"
import type { Transport } from "../net/Transport.ts"
import * as LogOptions from "../options/LogOptions.ts"
import type { LogFormat } from "../options/LogOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import * as OptionTable from "../options/OptionTable.ts"
import * as ClientLogger from "./ClientLogger.ts"
import * as ClientSettings from "./ClientSettings.ts"
import * as Progress from "./Progress.ts"
import { invalidOption, type ToolError, toolError } from "./ToolError.ts"

/** Options of `to_nsq`. */
export interface ToNsqOptions {
  readonly logFormat: LogFormat
  readonly topic: string
  readonly nsqdTcpAddresses: ReadonlyArray<string>
  readonly delimiter: string
  /** Maximum messages per second; less than 1 for no limit. */
  readonly rate: number
  readonly producerOpt: ClientSettings.ClientSettings
}

/** The flags of `to_nsq`. */
export const table = {
  logFormat: LogOptions.formatRow,
  topic: row("topic", Kind.string, () => "", "topic to publish to"),
  nsqdTcpAddresses: row(
    "nsqd-tcp-address",
    Kind.strings,
    (): ReadonlyArray<string> => [],
    "nsqd TCP address to publish to (may be given several times; each gets every message)"
  ),
  delimiter: row("delimiter", Kind.string, () => "\n", "byte that ends a message"),
  rate: row("rate", Kind.count, () => 0, "maximum messages per second (0 for no limit)"),
  producerOpt: row(
    "producer-opt",
    ClientSettings.kind,
    (): ClientSettings.ClientSettings => new Map(),
    "option of the producer as name,value (may be given several times)"
  )
}

/** Returns the defaults. */
export const defaults = (): ToNsqOptions => OptionTable.defaults(table)

/** Splits the input at the delimiter, in order, without empty pieces. The bytes after the last delimiter are a piece too. */
export const split = <E, R>(
  input: Stream.Stream<Uint8Array, E, R>,
  delimiter: number
): Stream.Stream<Buffer, E, R> => {
  let rest: Array<Buffer> = []
  const take = (last: Buffer): ReadonlyArray<Buffer> => {
    const piece = rest.length === 0 ? last : Buffer.concat([...rest, last])
    rest = []
    return piece.length === 0 ? [] : [piece]
  }
  const pieces = (chunk: Uint8Array): ReadonlyArray<Buffer> => {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    const found: Array<Buffer> = []
    let start = 0
    for (let end = bytes.indexOf(delimiter); end >= 0; end = bytes.indexOf(delimiter, start)) {
      found.push(...take(bytes.subarray(start, end)))
      start = end + 1
    }
    if (start < bytes.length) rest.push(bytes.subarray(start))
    return found
  }
  return input.pipe(
    Stream.flatMap((chunk) => Stream.fromIterable(pieces(chunk))),
    Stream.concat(Stream.suspend(() => Stream.fromIterable(take(Buffer.alloc(0)))))
  )
}

interface Throttle {
  /** Completes when the next message may be sent. */
  readonly take: Effect.Effect<void>
}

/** Creates a token bucket: `rate` per second on average, at most `rate` at once, one at the start. */
const makeThrottle = Effect.fnUntraced(function*(rate: number): Effect.fn.Return<Throttle> {
  if (rate < 1) return { take: Effect.void }
  yield* ClientLogger.note(`Throttling messages rate to max:${rate}/second`)
  let tokens = 1
  let filledAt = yield* Clock.currentTimeMillis
  const take = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    tokens = Math.min(rate, tokens + (now - filledAt) * rate / 1000) - 1
    filledAt = now
    if (tokens < 0) yield* Effect.sleep(-tokens * 1000 / rate)
  })
  return { take }
})

/** Publishes until the input ends. */
export const publishInput = Effect.fnUntraced(function*(
  options: ToNsqOptions,
  input: Stream.Stream<Uint8Array, ToolError>
): Effect.fn.Return<void, ToolError, Transport | HttpClient.HttpClient | Scope.Scope> {
  const { nsqdTcpAddresses, topic } = options
  if (topic === "") return yield* invalidOption("--topic required")
  const delimiter = Buffer.from(options.delimiter)
  if (delimiter.length !== 1) return yield* invalidOption("--delimiter must be a single byte")
  if (nsqdTcpAddresses.length === 0) return yield* invalidOption("--nsqd-tcp-address required")
  const connection = yield* ClientSettings.connectionOptions(options.producerOpt, `to_nsq/${version}`)
  const throttle = yield* makeThrottle(options.rate)
  const progress = yield* Progress.make("published")
  const failed = ({ message }: ClientError) => toolError("DaemonFailure", message)

  const refused = yield* Deferred.make<never, ToolError>()

  /** Ends the tool when an nsqd refuses a later connection permanently. A lost connection is made again otherwise. */
  const watch = (producer: Producer.ProducerService) =>
    Effect.forkScoped(
      Stream.runForEach(producer.connectionStates, (state) =>
        state._tag === "Disconnected" && state.error.isPermanent
          ? Deferred.fail(refused, failed(state.error))
          : Effect.void)
    )

  /** Connects with the first message, because an empty input needs no server. */
  const connect = yield* Effect.cached(Effect.forEach(nsqdTcpAddresses, (address) =>
    Effect.gen(function*() {
      yield* Effect.mapError(Effect.scoped(NsqdConnection.open(address, connection)), failed)
      const producer = yield* Producer.make({ servers: { nsqd: [address] }, connection, ...limitsOfServer })
      yield* watch(producer)
      return producer
    })))

  const publish = (producers: ReadonlyArray<Producer.ProducerService>, body: Buffer) =>
    Effect.forEach(producers, (producer) => producer.publish(topic, body), { concurrency: "unbounded", discard: true })
      .pipe(
        Effect.mapError(({ reason }) => toolError("DaemonFailure", reason.description)),
        Effect.tap(() => Effect.sync(() => progress.add(1, body.length)))
      )

  const published = Stream.runForEach(
    split(input, delimiter[0] ?? 0),
    (body) => Effect.andThen(throttle.take, Effect.flatMap(connect, (producers) => publish(producers, body)))
  )
  yield* Effect.raceFirst(published, Deferred.await(refused))
})

/** Publishes standard input until it ends. */
export const main = Effect.fn("to_nsq")((options: ToNsqOptions) =>
  publishInput(
    options,
    Stream.fromAsyncIterable<Buffer, ToolError>(process.stdin, (error) => toolError("InputFailure", String(error)))
  )
)
