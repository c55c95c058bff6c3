/** The requests of `Discovery` to nsqlookupd. Loaded with the first one: clients with fixed addresses of nsqd need no HTTP and no Schemas. */
import { Duration, Effect, Schedule, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as LookupResponse from "../../protocol/http/LookupResponse.ts"
import type { HttpError } from "../http/HttpError.ts"
import * as HttpExchange from "../http/HttpExchange.ts"
import { joinAddress } from "../net/Transport.ts"
import type { ClientError } from "./ClientError.ts"
import { lookupFailure, lookupUrl } from "./LookupAddress.ts"

const lookupTimeout = Duration.seconds(10)

/** Limit for a response, and for one event of a watch: far more than a cluster's nsqd need. */
const maxResponseBytes = 64 * 1024 * 1024

const descriptionOf = (error: HttpError | Schema.SchemaError): string => {
  if (error._tag === "SchemaError") return error.message
  return error.reason._tag === "Timeout" ? "timed out after 10 seconds" : error.description
}

const isNotFound = (error: HttpError | Schema.SchemaError): boolean =>
  error._tag === "HttpError" && error.reason._tag === "UnexpectedStatus" && error.reason.status === 404

/**
 * Requests a URL of one nsqlookupd, and decodes the response. A 404 has the result `missing`, if there is one. Every failure names
 * the nsqlookupd and the reason. Follows no redirect: an nsqlookupd must not direct requests to other servers.
 */
const request = <A, I>(
  address: string,
  url: URL | undefined,
  schema: Schema.Codec<A, I>,
  missing?: A
): Effect.Effect<A, ClientError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    if (url === undefined) return yield* lookupFailure(address, "not a valid address")
    const limits = { address, timeout: lookupTimeout, maxBytes: maxResponseBytes }
    return yield* HttpExchange.sendToDaemon(client, HttpClientRequest.get(url.href), limits).pipe(
      Effect.flatMap(({ body }) => Schema.decodeEffect(Schema.fromJsonString(schema))(body.toString())),
      Effect.catch((error) =>
        missing !== undefined && isNotFound(error)
          ? Effect.succeed(missing)
          : Effect.fail(lookupFailure(address, descriptionOf(error)))
      )
    )
  })

const addressesOf = ({ producers }: LookupResponse.Addresses): ReadonlyArray<string> =>
  producers.map(({ broadcast_address, tcp_port }) => joinAddress(broadcast_address, tcp_port))

/** Returns the nsqd of a topic, or all, from one nsqlookupd; see `Discovery.lookup`. */
export const lookup = (
  address: string,
  topic: string | undefined
): Effect.Effect<ReadonlyArray<string>, ClientError, HttpClient.HttpClient> =>
  Effect.map(
    request(address, lookupUrl(address, topic), LookupResponse.AnyAddresses, { producers: [] }),
    (response) => addressesOf("data" in response ? response.data : response)
  )

/** Returns all topics of one nsqlookupd; see `Discovery.topics`. */
export const topics = (address: string): Effect.Effect<ReadonlyArray<string>, ClientError, HttpClient.HttpClient> =>
  Effect.map(
    request(address, URL.parse("/topics", lookupUrl(address, undefined)?.href) ?? undefined, LookupResponse.Topics),
    ({ topics }) => topics
  )

const watchAgain = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")]).pipe(
  Schedule.jittered
)
const decodeEvent = Schema.decodeUnknownEffect(Schema.fromJsonString(LookupResponse.Addresses))
const eventStart = "data: "

/** Streams the nsqd of a topic from one nsqlookupd; see `Discovery.watch`. */
export const watch = (
  address: string,
  topic: string
): Stream.Stream<ReadonlyArray<string>, never, HttpClient.HttpClient> =>
  Stream.unwrap(Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const url = lookupUrl(address, topic)
    if (url === undefined) return Stream.empty
    url.pathname = url.pathname.replace(/lookup$/, "watch")
    const { status, stream } = yield* HttpExchange.open(
      client,
      HttpExchange.versioned(HttpClientRequest.get(url.href)),
      { address }
    )
    // NSQ's own nsqlookupd has no `/watch`.
    if (status === 404) return Stream.empty
    if (status !== 200) return yield* lookupFailure(address, `got response ${status}`)
    let lineLength = 0
    return stream.pipe(
      Stream.decodeText,
      Stream.mapEffect((text) => {
        const end = text.lastIndexOf("\n")
        lineLength = end < 0 ? lineLength + text.length : text.length - end
        return lineLength > maxResponseBytes
          ? Effect.fail(lookupFailure(address, "an event of the watch is too large (limit 64 MiB)"))
          : Effect.succeed(text)
      }),
      Stream.splitLines,
      Stream.filter((line) => line.startsWith(eventStart)),
      Stream.mapEffect((line) => decodeEvent(line.slice(eventStart.length))),
      Stream.map(addressesOf),
      // The server closes watches by itself, for example when it stops.
      Stream.concat(Stream.fail(lookupFailure(address, "the server closed the watch")))
    )
  })).pipe(
    Stream.retry(watchAgain),
    Stream.catch(() => Stream.empty)
  )
