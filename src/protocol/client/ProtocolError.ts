/** The wire errors (docs/protocol/client.md#error-codes). The codes are in `ErrorCodes`. */
import { Schema } from "effect"
import { errorCodes, isFatal } from "./ErrorCodes.ts"

export { isFatal, parseErrorCode } from "./ErrorCodes.ts"

/**
 * The code of a wire error.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ErrorCode = Schema.Literals(errorCodes)
/** The code of a wire error. */
export type ErrorCode = typeof ErrorCode.Type

/**
 * An error for the client: the data of the error frame is the code, a space and the description.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProtocolError extends Schema.TaggedError<ProtocolError>()("ProtocolError", {
  code: ErrorCode,
  description: Schema.String
}) {
  override get message(): string {
    return this.description === "" ? this.code : `${this.code} ${this.description}`
  }
  /** Whether the server closes the connection after sending the error. */
  get fatal(): boolean {
    return isFatal(this.code)
  }
}

/**
 * Creates an error for a client. The code decides whether the connection ends.
 *
 * @since 0.1.0
 * @category operations
 */
export const protocolError = (code: ErrorCode, description: string): ProtocolError =>
  new ProtocolError({ code, description })
