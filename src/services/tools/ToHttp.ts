/**
 * `nsq_to_http`: sends each message of a channel to web servers (docs/protocol/tools.md#nsq_to_http).
 */
import { Clock, Effect, Random, type Scope } from "effect"
import { HttpClient } from "effect/http"
import type { Headers } from "../../protocol/client/Headers.ts"
import { Consumer, Topic } from "../client/index.ts"
import { maskedAddress } from "../core/Masked.ts"
import { version } from "../core/Version.ts"
import * as HttpClients from "../http/HttpClients.ts"
import * as RawHttp from "../http/RawHttp.ts"
import type { Transport } from "../net/Transport.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import * as OptionTable from "../options/OptionTable.ts"
import * as ClientLogger from "./ClientLogger.ts"
import * as Forwarding from "./Forwarding.ts"
import * as HttpCalls from "./HttpCalls.ts"
import * as Sources from "./Sources.ts"
import { invalidOption, type ToolError } from "./ToolError.ts"
import * as WebRequests from "./WebRequests.ts"

/** Options of `nsq_to_http`. */
export interface ToHttpOptions extends Sources.SourceOptions, Forwarding.ForwardingOptions, HttpClients.HttpOptions {
  readonly topic: string
  readonly channel: string
  /** URLs to POST to. */
  readonly post: ReadonlyArray<string>
  /** URLs to GET, with `%s` in place of the message. */
  readonly get: ReadonlyArray<string>
  readonly contentType: string
  readonly headers: ReadonlyArray<string>
  readonly concurrency: number
  /** Fraction of the messages to send, from 0 to 1; the rest is finished. */
  readonly sample: number
}

const none = (): ReadonlyArray<string> => []
const defaultContentType = "application/octet-stream"

/** The flags of `nsq_to_http`. */
export const table = {
  ...Sources.table,
  ...Forwarding.table,
  ...HttpCalls.table("20 seconds"),
  topic: row("topic", Kind.string, () => "", "topic to consume"),
  channel: row("channel", Kind.string, () => "nsq_to_http", "channel to consume"),
  post: row("post", Kind.strings, none, "URL to POST messages to (may be given several times)"),
  get: row("get", Kind.strings, none, "URL to GET, with %s in place of the message (may be given several times)"),
  contentType: row("content-type", Kind.string, () => defaultContentType, "Content-Type of POST requests"),
  headers: row("header", Kind.strings, none, "header of the requests as name:value (may be given several times)"),
  concurrency: row("n", Kind.count, () => 100, "maximum number of concurrent requests"),
  sample: row("sample", Kind.float, () => 1, "fraction of the messages to send, from 0 to 1")
}

/** Returns the defaults. */
export const defaults = (): ToHttpOptions => OptionTable.defaults(table)

const isWebAddress = (address: string): boolean => URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)

/** Returns why the URLs or the fraction are not valid, or `undefined`. */
const problem = ({ get, post, sample }: ToHttpOptions): string | undefined => {
  if (post.length === 0 && get.length === 0) return "--get or --post required"
  if (post.length > 0 && get.length > 0) return "use --get or --post not both"
  if (get.some((address) => address.split("%s").length !== 2)) return "invalid GET address - must be a printf string"
  if (sample > 1 || sample < 0 || Number.isNaN(sample)) return "ERROR: --sample must be between 0.0 and 1.0"
  const wrong = [...post, ...get].find((address) => !isWebAddress(WebRequests.fill(address, "x")))
  return wrong === undefined
    ? undefined
    : `invalid address - ${JSON.stringify(maskedAddress(wrong))} is not an http or https URL`
}

/** Returns the headers to send. Fails with the first error in the options, in NSQ's order. */
const check = Effect.fnUntraced(function*(
  options: ToHttpOptions
): Effect.fn.Return<WebRequests.Headers, ToolError> {
  const headers = WebRequests.parseHeaders(options.headers)
  if (headers === undefined) return yield* invalidOption("--header value format should be 'key=value'")
  if (options.topic === "" || options.channel === "") return yield* invalidOption("--topic and --channel are required")
  if (options.contentType !== defaultContentType) {
    if (options.post.length === 0) return yield* invalidOption("--content-type only used with --post")
    if (options.contentType === "") return yield* invalidOption("--content-type requires a value when used")
  }
  yield* Sources.servers(options)
  const wrong = problem(options)
  if (wrong !== undefined) return yield* invalidOption(wrong)
  return { "user-agent": `nsq_to_http v${version}`, "accept-encoding": "gzip", ...headers }
})

const sendingToOne = new Set(["round-robin", "hostpool", "epsilon-greedy"])

/** Sends until interrupted, then waits for the requests in flight. */
export const forward = Effect.fnUntraced(function*(
  options: ToHttpOptions
): Effect.fn.Return<void, ToolError, Transport | HttpClient.HttpClient | Scope.Scope> {
  const headers = yield* check(options)
  const { channel, contentType, get, mode, post, sample, topic } = options
  const addresses = post.length > 0 ? post : get
  const destinations = yield* Forwarding.destinations(options, addresses.map(maskedAddress))
  const client = yield* HttpClient.HttpClient
  const random = yield* Random.Random

  const clock = yield* Clock.Clock
  const raw = yield* RawHttp.RawHttp
  const destinationOf = (address: string, all: WebRequests.Headers): WebRequests.Destination =>
    post.length > 0 ? WebRequests.postsTo(address, contentType, all) : WebRequests.getsFrom(address, all)
  const targets = addresses.map((address) => ({ address, destination: destinationOf(address, headers) }))
  const send = (target: WebRequests.Destination, body: Uint8Array): Effect.Effect<void, ToolError> =>
    raw === undefined
      ? Effect.provideService(
        WebRequests.send(target.request(body), options.httpClientRequestTimeout),
        HttpClient.HttpClient,
        client
      )
      : WebRequests.sendRaw(raw, client, clock, target, body, options.httpClientRequestTimeout)
  const handOn = (body: Uint8Array, own: Headers): Effect.Effect<void, ToolError> => {
    if (sample < 1 && random.nextDoubleUnsafe() > sample) return Effect.void
    const hasOwn = Object.keys(own).length > 0
    const attempt = (index: number): Effect.Effect<void, ToolError> => {
      const target = targets[index]
      if (target === undefined) return Effect.void
      const { address, destination } = target
      return send(hasOwn ? destinationOf(address, { ...WebRequests.headersOf(own), ...headers }) : destination, body)
    }
    return sendingToOne.has(mode) ? destinations.toOne(attempt) : destinations.toAll(attempt)
  }

  const settings = yield* Sources.consumerOptions(options, `nsq_to_http/${version}`, topic, channel)
  const consumer = yield* Consumer.make({ ...settings, topic: Topic.bytes(topic) })
  yield* Forwarding.run(consumer, Math.max(1, options.concurrency), handOn)
})

/** Sends with Node's HTTP client. */
export const main = Effect.fn("nsq_to_http")(function*(
  given: ToHttpOptions
): Effect.fn.Return<void, ToolError, Transport | Scope.Scope> {
  const options = HttpCalls.unlimitedUnlessPositive(given)
  yield* forward(options).pipe(
    Effect.provide(HttpClients.layerUndici(options, WebRequests.maxResponseSize)),
    ClientLogger.ofConsumer(options.topic, options.channel)
  )
})
