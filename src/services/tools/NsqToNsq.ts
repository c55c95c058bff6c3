/**
 * `nsq_to_nsq`: publishes the messages of topics to other nsqd, all of them or those that pass a filter
 * (docs/protocol/tools.md#nsq_to_nsq).
 */
import { Duration, Effect, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import { encodeHeaders, type Headers, isOwnHeader } from "../../protocol/client/Headers.ts"
import { isValidName } from "../../protocol/client/Names.ts"
import { type ClientError, Consumer, Producer, Topic } from "../client/index.ts"
import { limitsOfServer } from "../client/ProducerOptions.ts"
import { version } from "../core/Version.ts"
import type { Transport } from "../net/Transport.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import * as OptionTable from "../options/OptionTable.ts"
import * as ClientLogger from "./ClientLogger.ts"
import * as ClientSettings from "./ClientSettings.ts"
import * as Forwarding from "./Forwarding.ts"
import * as JsonFilter from "./JsonFilter.ts"
import * as Sources from "./Sources.ts"
import { invalidOption, type ToolError, toolError } from "./ToolError.ts"

/** Options of `nsq_to_nsq`. */
export interface NsqToNsqOptions
  extends Sources.SourceOptions, Forwarding.ForwardingOptions, JsonFilter.JsonFilterOptions
{
  readonly topics: ReadonlyArray<string>
  readonly channel: string
  /** Topic to publish to; empty for the topic of the message. */
  readonly destinationTopic: string
  readonly destinationNsqdTcpAddresses: ReadonlyArray<string>
  readonly producerOpt: ClientSettings.ClientSettings
}

const none = (): ReadonlyArray<string> => []

/** The flags of `nsq_to_nsq`. */
export const table = {
  ...Sources.table,
  ...Forwarding.table,
  topics: row("topic", Kind.strings, none, "topic to consume (may be given several times)"),
  channel: row("channel", Kind.string, () => "nsq_to_nsq", "channel to consume"),
  destinationTopic: row(
    "destination-topic",
    Kind.string,
    () => "",
    "topic to publish to (default: the topic of the message)"
  ),
  destinationNsqdTcpAddresses: row(
    "destination-nsqd-tcp-address",
    Kind.strings,
    none,
    "nsqd TCP address to publish to (may be given several times)"
  ),
  producerOpt: row(
    "producer-opt",
    ClientSettings.kind,
    (): ClientSettings.ClientSettings => new Map(),
    "option of the producers as name,value (may be given several times)"
  ),
  requireJsonField: row("require-json-field", Kind.string, () => "", "forward only JSON objects with this key"),
  requireJsonValue: row(
    "require-json-value",
    Kind.string,
    () => "",
    "forward only JSON objects whose required key has this value"
  ),
  whitelistJsonFields: row(
    "whitelist-json-field",
    Kind.strings,
    none,
    "key of JSON objects to keep; others are removed (may be given several times)"
  )
}

/** Returns the defaults. */
export const defaults = (): NsqToNsqOptions => OptionTable.defaults(table)

const check = (options: NsqToNsqOptions): Effect.Effect<void, ToolError> => {
  const { channel, destinationTopic, topics } = options
  if (topics.length === 0 || channel === "") return Effect.fail(invalidOption("--topic and --channel are required"))
  if (!topics.every(isValidName)) return Effect.fail(invalidOption("--topic is invalid"))
  if (destinationTopic !== "" && !isValidName(destinationTopic)) {
    return Effect.fail(invalidOption("--destination-topic is invalid"))
  }
  if (!isValidName(channel)) return Effect.fail(invalidOption("--channel is invalid"))
  return Effect.flatMap(Sources.servers(options), () =>
    options.destinationNsqdTcpAddresses.length === 0
      ? Effect.fail(invalidOption("--destination-nsqd-tcp-address required"))
      : Effect.void)
}

/**
 * The headers of a copy. The destination refuses those that only nsqd sets: they would say that it has moved the message itself. They get
 * other names, or are left out if there is no room for these.
 */
const copiedHeaders = (headers: Headers): Headers => {
  const all = Object.entries(headers)
  if (!all.some(([name]) => isOwnHeader(name))) return headers
  const renamed = Object.fromEntries(all.map(([name, value]) => [isOwnHeader(name) ? `copied-${name}` : name, value]))
  return Buffer.isBuffer(encodeHeaders(renamed))
    ? renamed
    : Object.fromEntries(all.filter(([name]) => !isOwnHeader(name)))
}

/** Forwards messages until interrupted; messages in flight are still published. */
export const main = Effect.fn("nsq_to_nsq")(function*(
  options: NsqToNsqOptions
): Effect.fn.Return<void, ToolError, Transport | HttpClient.HttpClient | Scope.Scope> {
  yield* check(options)
  const { destinationNsqdTcpAddresses: addresses, destinationTopic, maxInFlight } = options
  const program = `nsq_to_nsq/${version}`
  const connection = yield* ClientSettings.connectionOptions(options.producerOpt, program)
  // One producer per destination, because the mode chooses here. A single destination is never considered silent.
  const silenceLimit = addresses.length === 1 ? { silenceLimit: Duration.infinity } : {}
  const producers = yield* Effect.forEach(
    addresses,
    (address) =>
      Producer.make({
        servers: { nsqd: [address] },
        connection,
        waitForServer: false,
        ...silenceLimit,
        ...limitsOfServer
      })
  )
  const destinations = yield* Forwarding.destinations(options, addresses)
  const filter = JsonFilter.make(options)

  const forward = Effect.fnUntraced(function*(from: string) {
    const settings = yield* Sources.consumerOptions(options, program, from, options.channel)
    const consumer = yield* Consumer.make({ ...settings, topic: Topic.bytes(from) })
    const topic = Topic.bytes(destinationTopic === "" ? from : destinationTopic)
    const publishTo = (body: Uint8Array, given: Headers) => (index: number) => {
      const headers = copiedHeaders(given)
      const producer = producers[index]
      return producer === undefined
        ? Effect.die(new Error(`invariant: no destination ${index}`))
        : producer.publish(topic, body, Object.keys(headers).length === 0 ? undefined : { headers })
    }
    /** Publishes to another destination only if the first did not reply; other failures requeue the message, as in NSQ. */
    const publish = (body: Uint8Array, headers: Headers) =>
      destinations.toOne(publishTo(body, headers), ({ mayBeDelivered }) => mayBeDelivered)

    const handOn = (body: Uint8Array, headers: Headers): Effect.Effect<void, ClientError | ToolError> => {
      const verdict = filter === undefined ? { _tag: "pass" as const, body } : filter(body)
      switch (verdict._tag) {
        case "pass":
          return publish(verdict.body, headers)
        case "drop":
          return Effect.void
        case "undecodable":
          return ClientLogger.note(`ERROR: Unable to decode json: ${Buffer.from(body).toString()}`)
        case "missing":
          return Effect.andThen(
            ClientLogger.note("ERROR: missing field to check required value"),
            Effect.fail(toolError("MissingField", "backoff"))
          )
      }
    }
    yield* Forwarding.run(consumer, Math.max(1, maxInFlight), handOn)
  })
  const forwardAs = (from: string) => ClientLogger.ofConsumer(from, options.channel)(forward(from))
  yield* Effect.forEach(options.topics, forwardAs, { concurrency: "unbounded", discard: true })
})
