/**
 * What all nsqd of a topic say of one of its channels, added up. The nsqd are named, or nsqlookupd names them. Whoever does not
 * answer fails the question: a sum without it would mislead.
 */
import { Effect, Result, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { STATUS_CODES } from "node:http"
import { joinAddress, splitAddress } from "../transport/Transport.ts"
import type { HttpOptions } from "./HttpCalls.ts"
import { type ToolError, toolError } from "./ToolError.ts"

/** The figures of a channel. */
export interface ChannelStats {
  readonly depth: number
  readonly backendDepth: number
  readonly inFlight: number
  readonly deferred: number
  readonly requeues: number
  readonly timeouts: number
  readonly messages: number
  readonly clients: number
}

/** Addresses, `host:port`, of one kind or the other. */
export type Sources = { readonly nsqd: ReadonlyArray<string> } | { readonly lookupd: ReadonlyArray<string> }

const Count = Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(0)))
const Channel = Schema.Struct({
  channel_name: Schema.String,
  depth: Count,
  backend_depth: Count,
  in_flight_count: Count,
  deferred_count: Count,
  requeue_count: Count,
  timeout_count: Count,
  message_count: Count,
  client_count: Count
})
const Stats = Schema.Struct({
  topics: Schema.NullOr(
    Schema.Array(Schema.Struct({ topic_name: Schema.String, channels: Schema.NullOr(Schema.Array(Channel)) }))
  )
})
const Producers = Schema.Struct({
  producers: Schema.NullOr(Schema.Array(Schema.Struct({ broadcast_address: Schema.String, http_port: Schema.Int })))
})
const Info = Schema.Struct({
  broadcast_address: Schema.String.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(""))),
  http_port: Count
})
const Forbidden = Schema.Struct({ https_port: Schema.Int })

const maxRedirections = 1

/** Asks one daemon; one that wants HTTPS is asked again that way. */
const ask = <A, I>(
  schema: Schema.Codec<A, I>,
  url: string,
  limits: HttpOptions,
  redirections = maxRedirections
): Effect.Effect<A, ToolError, HttpClient.HttpClient> => {
  const failed = (reason: string) => toolError(`Get "${url}": ${reason}`)
  const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
  return Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.get(url, { headers: { accept: "application/vnd.nsq; version=1.0" } })
    const [status, body] = yield* Effect.flatMap(
      client.execute(request),
      (response) => Effect.map(response.text, (text) => [response.status, text] as const)
    ).pipe(
      Effect.timeoutOrElse({
        duration: limits.httpClientRequestTimeout,
        orElse: () => Effect.fail(failed("request timeout"))
      }),
      Effect.mapError((error) => error._tag === "ToolError" ? error : failed(reasonOf(error)))
    )
    if (status === 403 && redirections > 0 && url.startsWith("http://")) {
      const secure = yield* Effect.option(Schema.decodeEffect(Schema.fromJsonString(Forbidden))(body))
      if (secure._tag === "Some") return yield* ask(schema, httpsOf(url, secure.value.https_port), limits, 0)
    }
    if (status !== 200) {
      return yield* toolError(`got response ${status} ${STATUS_CODES[status] ?? ""} ${JSON.stringify(body)}`)
    }
    return yield* Effect.mapError(decode(body), () => failed("the answer is not what NSQ's daemons say"))
  })
}

const httpsOf = (url: string, port: number): string => {
  const secure = new URL(url.replace("http:", "https:"))
  secure.port = String(port)
  return secure.href
}

/** The operating system's words, where it said something. */
const reasonOf = (error: { readonly message: string; readonly cause?: unknown }): string => {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (cause.cause === undefined) return cause.message
  }
  return error.message
}

/** Asks all at once; any failure is a failure of all, and names everybody's. */
const askAll = <A, B>(
  from: ReadonlyArray<A>,
  what: string,
  question: (one: A) => Effect.Effect<B, ToolError, HttpClient.HttpClient>
): Effect.Effect<ReadonlyArray<B>, ToolError, HttpClient.HttpClient> =>
  Effect.flatMap(
    Effect.forEach(from, (one) => Effect.result(question(one)), { concurrency: "unbounded" }),
    (results) => {
      const answers = results.filter(Result.isSuccess).map(({ success }) => success)
      const reasons = results.filter(Result.isFailure).map(({ failure }) => failure.message).join("\n")
      if (answers.length === 0) return Effect.fail(toolError(`failed to query any ${what}: ${reasons}`))
      return reasons === "" ? Effect.succeed(answers) : Effect.fail(toolError(reasons))
    }
  )

/** The HTTP addresses of the nsqd that have the topic. */
export const topicProducers = Effect.fnUntraced(function*(
  sources: Sources,
  topic: string,
  limits: HttpOptions
): Effect.fn.Return<ReadonlyArray<string>, ToolError, HttpClient.HttpClient> {
  const query = `topic=${encodeURIComponent(topic)}`
  if ("lookupd" in sources) {
    const answers = yield* askAll(
      sources.lookupd,
      "nsqlookupd",
      (address) => ask(Producers, `http://${address}/lookup?${query}`, limits)
    )
    const found = answers.flatMap(({ producers }) => producers ?? [])
    return [...new Set(found.map(({ broadcast_address, http_port }) => joinAddress(broadcast_address, http_port)))]
  }
  const found = yield* askAll(sources.nsqd, "nsqd", (address) =>
    Effect.gen(function*() {
      const url = `http://${address}/stats?format=json&${query}&include_clients=false`
      const { topics } = yield* ask(Stats, url, limits)
      if (topics === null || topics.every(({ topic_name }) => topic_name !== topic)) return []
      const { broadcast_address: host, http_port: port } = yield* ask(Info, `http://${address}/info`, limits)
      // Very old servers do not say where they are.
      return [host === "" ? address : joinAddress(host, port === 0 ? splitAddress(address)?.port ?? 0 : port)]
    }))
  return found.flat()
})

const nothing: ChannelStats = {
  depth: 0,
  backendDepth: 0,
  inFlight: 0,
  deferred: 0,
  requeues: 0,
  timeouts: 0,
  messages: 0,
  clients: 0
}

const add = (sum: ChannelStats, channel: typeof Channel.Type): ChannelStats => ({
  depth: sum.depth + channel.depth,
  backendDepth: sum.backendDepth + channel.backend_depth,
  inFlight: sum.inFlight + channel.in_flight_count,
  deferred: sum.deferred + channel.deferred_count,
  requeues: sum.requeues + channel.requeue_count,
  timeouts: sum.timeouts + channel.timeout_count,
  messages: sum.messages + channel.message_count,
  clients: sum.clients + channel.client_count
})

/** The figures of a channel at these nsqd together; `undefined` when none of them has it. */
export const channelStats = Effect.fnUntraced(function*(
  producers: ReadonlyArray<string>,
  topic: string,
  channel: string,
  limits: HttpOptions
): Effect.fn.Return<ChannelStats | undefined, ToolError, HttpClient.HttpClient> {
  const query = `topic=${encodeURIComponent(topic)}&channel=${encodeURIComponent(channel)}`
  const answers = yield* askAll(
    producers,
    "nsqd",
    (address) => ask(Stats, `http://${address}/stats?format=json&${query}&include_clients=false`, limits)
  )
  const found = answers
    .flatMap(({ topics }) => topics ?? [])
    .filter(({ topic_name }) => topic_name === topic)
    .flatMap(({ channels }) => channels ?? [])
    .filter(({ channel_name }) => channel_name === channel)
  return found.length === 0 ? undefined : found.reduce(add, nothing)
})
