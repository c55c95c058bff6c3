/**
 * The error of the client library, with a tagged reason: `Effect.catchTag("ClientError", ...)` handles all reasons,
 * `Effect.catchReason("ClientError", "UnknownOutcome", ...)` one.
 */
import { Data } from "effect"
import { type ErrorCode, parseErrorCode } from "../../protocol/client/ErrorCodes.ts"
import { masked } from "../core/Masked.ts"

/**
 * Why a server is not connected.
 *
 * @since 0.2.0
 * @category models
 */
export interface ServerFailure {
  /** `host:port` of an nsqd, or the address of an nsqlookupd. */
  readonly address: string
  readonly error: ClientError
}

/**
 * The reasons of a `ClientError`. `address` is the server's, `host:port`; `description` is what the server or the operating system
 * reported.
 *
 * @since 0.2.0
 * @category errors
 */
export type ClientErrorReason = Data.TaggedEnum<{
  /** nsqd cannot be reached, or accepts no connection within `dialTimeout`. */
  ConnectFailure: { readonly address: string; readonly description: string }
  /**
   * The handshake failed: nsqd refuses IDENTIFY, TLS, compression or AUTH, or is slower than `handshakeTimeout`. `isPermanent` if
   * another attempt has the same result until an option or the configuration of the server changes, for example because the
   * secret is wrong.
   */
  HandshakeFailure: { readonly address: string; readonly description: string; readonly isPermanent: boolean }
  /** A connection ended: it was closed, its server was silent for too long, or sent an invalid frame. */
  ConnectionLoss: { readonly address: string; readonly description: string }
  /** nsqd sent an error that ends the connection, for example `E_BAD_TOPIC ...`. */
  ServerRefusal: { readonly address: string; readonly description: string }
  /**
   * A message was refused, by nsqd or by the producer before it was sent, for example with `E_BAD_MESSAGE ...`: it is not
   * delivered. `code` is NSQ's code of the refusal; `undefined` if nsqd sent another text. `address` is `undefined` if the
   * producer refused it.
   */
  PublishRefused: {
    readonly topic: string
    readonly address: string | undefined
    readonly code: ErrorCode | undefined
    readonly description: string
  }
  /**
   * No nsqd confirmed a message within `publishTimeout`. If it was `sent`, it may be delivered, and publishing it again may
   * duplicate it; otherwise it waited behind other publishes.
   */
  PublishTimedOut: { readonly topic: string; readonly sent: boolean; readonly description: string }
  /** No nsqd was connected in time; `servers` has the reason for each known one. The message was not sent. */
  NoServer: {
    readonly topic: string
    readonly servers: ReadonlyArray<ServerFailure>
    readonly description: string
  }
  /**
   * nsqd was sent a message, and its connection ended before the reply, so the message may be delivered. Publishing it again may
   * duplicate it.
   */
  UnknownOutcome: { readonly topic: string; readonly description: string }
  /** The Scope of the producer or the consumer has closed. A message that was to be published was not sent. */
  Closed: { readonly description: string }
  /** A value cannot be encoded as a body, or a body cannot be decoded to a value of the topic's Schema. */
  InvalidMessage: { readonly topic: string; readonly description: string }
  /** A message was delivered more than `maxAttempts` times; a consumer gives it up for this cause without handling it. */
  TooManyAttempts: { readonly topic: string; readonly description: string }
  /** A program has rejected a message (`Delivery.reject`); the description is its reason. */
  MessageRejected: { readonly topic: string; readonly description: string }
  /** A request to nsqlookupd failed, or its response is not valid. */
  LookupFailure: { readonly address: string; readonly description: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const ClientErrorReason = Data.taggedEnum<ClientErrorReason>()

/** Codes of a refusal that has the same result for every connection with the same options. */
const permanentCodes: ReadonlySet<ErrorCode | undefined> = new Set<ErrorCode | undefined>([
  "E_AUTH_DISABLED",
  "E_AUTH_FAILED",
  "E_AUTH_FIRST",
  "E_BAD_BODY",
  "E_BAD_CHANNEL",
  "E_BAD_TOPIC",
  "E_UNAUTHORIZED"
])

/** Whether a server that sent this error frame sends it again after a new connection with the same options. */
export const isPermanentText = (text: string): boolean => permanentCodes.has(parseErrorCode(text))

/** Codes of a refusal that depends on the state of the server, not on the message. */
const passingCodes: ReadonlySet<ErrorCode | undefined> = new Set<ErrorCode | undefined>([
  "E_PUB_FAILED",
  "E_MPUB_FAILED",
  "E_DPUB_FAILED"
])

/**
 * A failure of the client library. The message names the server or the topic, for example
 * `127.0.0.1:4150: connection refused`.
 *
 * @since 0.2.0
 * @category errors
 */
export class ClientError extends Data.TaggedError("ClientError")<{ readonly reason: ClientErrorReason }> {
  override get message(): string {
    const { reason } = this
    if (reason._tag === "LookupFailure") {
      return masked(`error querying nsqlookupd (${reason.address}) - ${reason.description}`)
    }
    if (reason._tag === "Closed") return reason.description
    return `${"topic" in reason ? reason.topic : reason.address}: ${reason.description}`
  }

  /**
   * Whether connecting again has the same result until an option or the server's configuration changes: nsqd refuses the secret,
   * requires one, does not offer TLS, has a certificate that is not valid, or refuses the options, the topic or the channel.
   * NSQ's nsqd reports a failed auth server like a wrong secret.
   */
  get isPermanent(): boolean {
    const { reason } = this
    return (reason._tag === "HandshakeFailure" && reason.isPermanent) ||
      (reason._tag === "ServerRefusal" && isPermanentText(reason.description))
  }

  /**
   * Whether publishing again can have another result: no server was connected or replied, its connection was lost, or it failed to
   * store the message (`E_PUB_FAILED`). False if the message itself was refused.
   */
  get isRetryable(): boolean {
    const { reason } = this
    return reason._tag === "NoServer" || reason._tag === "PublishTimedOut" || reason._tag === "UnknownOutcome" ||
      (reason._tag === "PublishRefused" && passingCodes.has(reason.code))
  }

  /** Whether a message may be delivered although publishing it failed: it was sent, and its outcome is not known. */
  get mayBeDelivered(): boolean {
    const { reason } = this
    return reason._tag === "UnknownOutcome" || (reason._tag === "PublishTimedOut" && reason.sent)
  }
}
