/**
 * The error of the client library, with a tagged reason: `Effect.catchTag("ClientError", ...)` handles all reasons,
 * `Effect.catchReason("ClientError", "UnknownOutcome", ...)` one.
 */
import { Data } from "effect"
import { masked } from "../core/Masked.ts"

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
  /** The handshake failed: nsqd refuses IDENTIFY, TLS, compression or AUTH, or is slower than `handshakeTimeout`. */
  HandshakeFailure: { readonly address: string; readonly description: string }
  /** A connection ended: it was closed, its server was silent for too long, or sent an invalid frame. */
  ConnectionLoss: { readonly address: string; readonly description: string }
  /** nsqd sent an error that ends the connection, for example `E_BAD_TOPIC ...`. */
  ServerRefusal: { readonly address: string; readonly description: string }
  /** nsqd did not take a message, for example `E_BAD_MESSAGE ...`. Publishing it again has the same result. */
  MessageRefusal: { readonly topic: string; readonly description: string }
  /** No nsqd took a message in time. It was sent to none. */
  NoServer: { readonly topic: string; readonly description: string }
  /**
   * nsqd was sent a message and did not reply, so the message may be delivered. Publishing it again may duplicate it.
   */
  UnknownOutcome: { readonly topic: string; readonly description: string }
  /** A value cannot be encoded as a body, or a body cannot be decoded to a value of the topic's Schema. */
  InvalidMessage: { readonly topic: string; readonly description: string }
  /** A message was delivered more than `maxAttempts` times; a consumer gives it up for this cause without handling it. */
  TooManyAttempts: { readonly topic: string; readonly description: string }
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
    return `${"topic" in reason ? reason.topic : reason.address}: ${reason.description}`
  }
}
