/** The options of a Producer and of its publishes. */
import type { Duration, Schedule } from "effect"
import type { Headers } from "../../protocol/client/Headers.ts"
import type { ClientError } from "./ClientError.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import type { Servers } from "./Discovery.ts"

/**
 * Options of a producer.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProducerOptions {
  /** The nsqd to publish to, or the nsqlookupd that know all of them. */
  readonly servers: Servers
  /** How the producer connects to nsqd. Default: the defaults of `ConnectionOptions`. */
  readonly connection?: ConnectionOptions
  /**
   * Which connected nsqd gets a publish without a key: each in turn, or always the same one while it replies. Default:
   * `round-robin`.
   */
  readonly balance?: "round-robin" | "sticky"
  /** Unconfirmed publishes in flight; further ones wait. Default: 2000. */
  readonly maxInFlight?: number
  /** Limit for a publish, including the wait for a server. Default: 30 s. */
  readonly publishTimeout?: Duration.Input
  /**
   * Time without any reply after which a server's unconfirmed publishes go to others; new publishes avoid it after a third of
   * that time. Default: 750 ms.
   */
  readonly silenceLimit?: Duration.Input
  /**
   * Whether a publish whose server is lost or silent goes to another server, so that it may arrive twice. If false, it fails: at
   * once with the reason `UnknownOutcome` when the connection is lost, after `publishTimeout` with `PublishTimedOut` when the server
   * is silent. Default: true.
   */
  readonly resend?: boolean
  /**
   * Whether a publish waits while no server is connected. If false, it fails as soon as the first attempts to connect have
   * failed, and with the reason `UnknownOutcome` when the only connection is lost, or is silent for `silenceLimit`, before the server
   * confirms it. Default: true.
   */
  readonly waitForServer?: boolean
  /**
   * Publishes again, as this Schedule says, what has failed with a reason for which that can help (`ClientError.isRetryable`); with
   * `resend: false` only what cannot have been delivered. Each attempt has `publishTimeout`. Default: no retries.
   */
  readonly retry?: Schedule.Schedule<unknown, ClientError>
  /**
   * Larger messages are refused before they are sent, in bytes; nsqd's `--max-msg-size`. A server that states its limit in its reply
   * to IDENTIFY (`max_msg_size`) has that one. Default: 1 MiB, as in nsqd.
   */
  readonly maxMsgSize?: number
  /** Larger batches of `publishAll` are refused before they are sent, in bytes; nsqd's `--max-body-size`. Default: 5 MiB, as in nsqd. */
  readonly maxBodySize?: number
  /**
   * Whether messages have the current span as header `traceparent`, by which consumers continue the trace. A publish without a span
   * has none. Default: false.
   *
   * @since 0.2.0
   */
  readonly traceContext?: boolean
}

/**
 * Options of one publish.
 *
 * @since 0.2.0
 * @category models
 */
export interface PublishOptions {
  /**
   * Publishes with the same key go to the same nsqd, as long as it is connected and replies. Default: the server is chosen by the
   * option `balance`.
   */
  readonly key?: string
  /**
   * Headers of the message, whose names become lower case (docs/headers.md). A server that does not have headers, such as NSQ's nsqd,
   * gets the message without them. Each message of `publishAll` is then published by itself. Headers that are not valid, or
   * that only nsqd sets, such as `nsq-origin-topic`, fail with the reason `PublishRefused`. Default: no headers.
   */
  readonly headers?: Headers
  /**
   * A key by which nsqd recognizes the same message within the window of the topic's policy `dedup_window`, and does not store it again:
   * publishes that are repeated after a lost connection arrive once. Each message of a batch has the key with its number. Publishes
   * with the same key have to go to the same nsqd, for example by `key`. A server without headers ignores it. Default: no key.
   */
  readonly dedupKey?: string
}

/** Limits of a producer that leaves the sizes of messages to nsqd, because its user cannot set them. */
export const limitsOfServer = { maxMsgSize: Infinity, maxBodySize: Infinity }
