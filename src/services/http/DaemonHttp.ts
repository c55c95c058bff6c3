/**
 * HTTP requests to an nsqd or nsqlookupd, as in NSQ's programs. `DaemonRequests` implements it over any `HttpClient`,
 * `NodeDaemonHttp` provides it for daemons and tools.
 */
import { Context, type Duration, type Effect, type Schema } from "effect"
import type { Origin } from "../net/DaemonNetworks.ts"
import type { HttpError } from "./HttpError.ts"
import type * as LongResponse from "./LongResponse.ts"

/** Limits of an exchange with a daemon, and the name of the client. */
export interface DaemonHttpLimits {
  /** For a whole exchange, including connecting. */
  readonly httpClientRequestTimeout: Duration.Duration
  /** For one response, in bytes; all responses to one question may have four times as many. 0 for no limit. */
  readonly maxDaemonResponseSize: number
  /** What sets `maxDaemonResponseSize`, for the error message. Default: the flag `--max-daemon-response-size`. */
  readonly responseSizeOption?: string
  /** The header `User-Agent` of requests. Default: the one of the HTTP client. */
  readonly userAgent?: string
}

/** Limit for each exchange, instead of `httpClientRequestTimeout` if that is longer. Default: no such limit. */
export const RequestTimeout = Context.Reference<Duration.Duration | undefined>(
  "effect-nsq/http/DaemonHttp/RequestTimeout",
  { defaultValue: () => undefined }
)

/** Sends requests to daemons. */
export class DaemonHttp extends Context.Service<DaemonHttp, {
  /** Requests a path with query from the daemon at `address`, `host:port`, and decodes the response. Default origin: `configured`. */
  readonly get: <A, I>(
    schema: Schema.Codec<A, I>,
    address: string,
    path: string,
    origin?: Origin
  ) => Effect.Effect<A, HttpError>
  /** The same for a response with a list of topics that may be very long. Decoding takes turns with other work. */
  readonly getByTopic: <Head extends { readonly topics: ReadonlyArray<unknown> | null }, Topic>(
    schemas: LongResponse.ByTopic<Head, Topic>,
    address: string,
    path: string,
    origin?: Origin
  ) => Effect.Effect<LongResponse.Decoded<Head, Topic>, HttpError>
  /**
   * The same without keeping the topics: each is passed to the function that `begin` returns for the rest of the response. Can fail
   * after some topics.
   */
  readonly forEachTopic: <Head extends { readonly topics: ReadonlyArray<unknown> | null }, Topic>(
    schemas: LongResponse.ByTopic<Head, Topic>,
    address: string,
    path: string,
    begin: (rest: Head) => (topic: Topic) => void,
    origin?: Origin
  ) => Effect.Effect<Head, HttpError>
  /** Posts to the daemon at `address`, `host:port`, and ignores the body of its response. Default origin: `configured`. */
  readonly post: (
    address: string,
    path: string,
    body?: Uint8Array,
    origin?: Origin
  ) => Effect.Effect<void, HttpError>
  /** Sends a request, with a body if it is given, and decodes the response. Default origin: `configured`. */
  readonly exchange: <A, I>(
    schema: Schema.Codec<A, I>,
    method: "POST" | "PUT",
    address: string,
    path: string,
    body?: Uint8Array,
    origin?: Origin
  ) => Effect.Effect<A, HttpError>
  /** Sends a request without a body, and ignores the body of its response. Default origin: `configured`. */
  readonly send: (
    method: "PUT" | "DELETE",
    address: string,
    path: string,
    origin?: Origin
  ) => Effect.Effect<void, HttpError>
}>()("effect-nsq/http/DaemonHttp") {}
