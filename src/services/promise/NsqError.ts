/** The error of `effect-nsq/promise`: a plain Error with a code. */

/**
 * What an `NsqError` is about. Each code is a reason of `ClientError` of `effect-nsq/client`.
 *
 * - `ERR_NSQ_CONNECT_FAILED`: nsqd cannot be reached, or accepts no connection within `dialTimeout`.
 * - `ERR_NSQ_HANDSHAKE_FAILED`: nsqd refuses IDENTIFY, TLS, compression or AUTH, or is slower than `handshakeTimeout`.
 * - `ERR_NSQ_CONNECTION_LOST`: a connection was closed, its server was silent for too long, or sent an invalid frame.
 * - `ERR_NSQ_SERVER_REFUSED`: nsqd sent an error that ends the connection, for example `E_BAD_TOPIC ...`.
 * - `ERR_NSQ_PUBLISH_REFUSED`: nsqd, or the producer before it sent the message, refused it. It is not delivered.
 * - `ERR_NSQ_PUBLISH_TIMED_OUT`: no nsqd confirmed a message within `publishTimeout`. `mayBeDelivered` states whether it was sent.
 * - `ERR_NSQ_NO_SERVER`: no nsqd was connected in time. `servers` has the reason for each. The message was not sent.
 * - `ERR_NSQ_UNKNOWN_OUTCOME`: a connection ended, or the producer was closed, before nsqd confirmed a message, so that it may be delivered.
 * - `ERR_NSQ_CLOSED`: the producer or the consumer is closed.
 * - `ERR_NSQ_INVALID_MESSAGE`: a body cannot be decoded.
 * - `ERR_NSQ_TOO_MANY_ATTEMPTS`: a message was delivered more than `maxAttempts` times.
 * - `ERR_NSQ_MESSAGE_REJECTED`: the program has rejected a message, for the `reason`.
 * - `ERR_NSQ_LOOKUP_FAILED`: a request to nsqlookupd failed, or its response is not valid.
 *
 * @since 0.2.0
 * @category errors
 */
export type NsqErrorCode =
  | "ERR_NSQ_CONNECT_FAILED"
  | "ERR_NSQ_HANDSHAKE_FAILED"
  | "ERR_NSQ_CONNECTION_LOST"
  | "ERR_NSQ_SERVER_REFUSED"
  | "ERR_NSQ_PUBLISH_REFUSED"
  | "ERR_NSQ_PUBLISH_TIMED_OUT"
  | "ERR_NSQ_NO_SERVER"
  | "ERR_NSQ_UNKNOWN_OUTCOME"
  | "ERR_NSQ_CLOSED"
  | "ERR_NSQ_INVALID_MESSAGE"
  | "ERR_NSQ_TOO_MANY_ATTEMPTS"
  | "ERR_NSQ_MESSAGE_REJECTED"
  | "ERR_NSQ_LOOKUP_FAILED"

/**
 * The details of an `NsqError`.
 *
 * @since 0.2.0
 * @category errors
 */
export interface NsqErrorDetails {
  readonly code: NsqErrorCode
  /** What the server or the operating system reported, without the name of the server or the topic. */
  readonly reason: string
  /** The topic of a message. */
  readonly topic?: string | undefined
  /** The server, `host:port`, if one is involved. */
  readonly address?: string | undefined
  /** NSQ's own code of a refusal, for example `E_BAD_MESSAGE`. */
  readonly nsqCode?: string | undefined
  /** Why each known server is not connected, for `ERR_NSQ_NO_SERVER`. Default: none. */
  readonly servers?: ReadonlyArray<{ readonly address: string; readonly error: NsqError }>
  /** Whether a message may be delivered although publishing it failed. Default: false. */
  readonly mayBeDelivered?: boolean
  /** Whether publishing again can have another result. Default: false. */
  readonly isRetryable?: boolean
  /** Whether connecting again has the same result until an option or the server's configuration changes. Default: false. */
  readonly isPermanent?: boolean
}

/**
 * A failure of a producer or a consumer. Code branches on `code`; `message` names the server or the topic.
 *
 * ```ts
 * try {
 *   await producer.publish("orders", "tea")
 * } catch (error) {
 *   if (error instanceof NsqError && error.mayBeDelivered) console.warn("may arrive twice if it is published again")
 *   else throw error
 * }
 * ```
 *
 * @since 0.2.0
 * @category errors
 */
export class NsqError extends Error {
  override readonly name = "NsqError"
  readonly code: NsqErrorCode
  readonly reason: string
  readonly topic: string | undefined
  readonly address: string | undefined
  readonly nsqCode: string | undefined
  readonly servers: ReadonlyArray<{ readonly address: string; readonly error: NsqError }>
  readonly mayBeDelivered: boolean
  readonly isRetryable: boolean
  readonly isPermanent: boolean

  constructor(message: string, details: NsqErrorDetails) {
    super(message)
    this.code = details.code
    this.reason = details.reason
    this.topic = details.topic
    this.address = details.address
    this.nsqCode = details.nsqCode
    this.servers = details.servers ?? []
    this.mayBeDelivered = details.mayBeDelivered ?? false
    this.isRetryable = details.isRetryable ?? false
    this.isPermanent = details.isPermanent ?? false
  }
}
