/** Converts between the values of this room, which are plain, and those of the client library. */
import { Cause, Data, Redacted } from "effect"
import { parseErrorCode } from "../../protocol/client/ErrorCodes.ts"
import { ClientError, type ClientErrorReason } from "../client/ClientError.ts"
import type * as Client from "../client/ConnectionOptions.ts"
import { Decision as ClientDecision } from "../client/Decision.ts"
import type { Decision } from "./Message.ts"
import { NsqError, type NsqErrorCode } from "./NsqError.ts"
import type { ConnectionOptions } from "./Options.ts"

const codes: Readonly<Record<ClientErrorReason["_tag"], NsqErrorCode>> = {
  ConnectFailure: "ERR_NSQ_CONNECT_FAILED",
  HandshakeFailure: "ERR_NSQ_HANDSHAKE_FAILED",
  ConnectionLoss: "ERR_NSQ_CONNECTION_LOST",
  ServerRefusal: "ERR_NSQ_SERVER_REFUSED",
  PublishRefused: "ERR_NSQ_PUBLISH_REFUSED",
  PublishTimedOut: "ERR_NSQ_PUBLISH_TIMED_OUT",
  NoServer: "ERR_NSQ_NO_SERVER",
  UnknownOutcome: "ERR_NSQ_UNKNOWN_OUTCOME",
  Closed: "ERR_NSQ_CLOSED",
  InvalidMessage: "ERR_NSQ_INVALID_MESSAGE",
  TooManyAttempts: "ERR_NSQ_TOO_MANY_ATTEMPTS",
  MessageRejected: "ERR_NSQ_MESSAGE_REJECTED",
  LookupFailure: "ERR_NSQ_LOOKUP_FAILED"
}

/** Returns the plain error. */
export const errorOf = (error: ClientError): NsqError => {
  const { isPermanent, isRetryable, mayBeDelivered, message, reason } = error
  return new NsqError(message, {
    code: codes[reason._tag],
    reason: reason.description,
    topic: "topic" in reason ? reason.topic : undefined,
    address: "address" in reason ? reason.address : undefined,
    nsqCode: parseErrorCode(reason.description),
    servers: reason._tag === "NoServer"
      ? reason.servers.map(({ address, error }) => ({ address, error: errorOf(error) }))
      : [],
    isPermanent,
    isRetryable,
    mayBeDelivered
  })
}

/** The error of an operation on a client that is closed. */
export const closedError = (): NsqError =>
  new NsqError("the client is closed", { code: "ERR_NSQ_CLOSED", reason: "the client is closed" })

/** What a function of the program threw, or its Promise rejected with. */
export class ProgramError extends Data.TaggedError("ProgramError")<{ readonly cause: unknown }> {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** Returns what a program receives for a failure. */
export const thrownBy = (cause: Cause.Cause<unknown>): unknown => {
  const error = Cause.squash(cause)
  if (error instanceof ClientError) return errorOf(error)
  if (error instanceof ProgramError) return error.cause
  return Cause.hasInterruptsOnly(cause) ? closedError() : error
}

/** Returns the options of the client library. */
export const connectionOf = ({ authSecret, ...options }: ConnectionOptions): Client.ConnectionOptions =>
  authSecret === undefined ? options : { ...options, authSecret: Redacted.make(authSecret) }

/** Returns the decision of the client library. */
export const decisionOf = (decision: Decision): ClientDecision => {
  switch (decision.action) {
    case "finish":
      return ClientDecision.Finish()
    case "giveUp":
      return ClientDecision.GiveUp()
    case "reject":
      return ClientDecision.Reject(decision.reason === undefined ? {} : { reason: decision.reason })
    case "requeue": {
      const { action: _action, ...options } = decision
      return ClientDecision.Requeue(options)
    }
  }
}

/** Throws a `RangeError` for numbers that are negative or not a number, in options, in options of options and in lists. */
export const checkNumbers = (options: object, path = ""): void => {
  for (const [name, value] of Object.entries(options)) {
    const key = `${path}${name}`
    if (typeof value === "number" && !(value >= 0)) {
      throw new RangeError(`${key} must be a number of 0 or more, not ${value}`)
    }
    const isPlain = typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
    if (isPlain || Array.isArray(value)) checkNumbers(value, `${key}.`)
  }
}
