/**
 * The codes of wire errors (docs/protocol/client.md#error-codes): every code that an error frame can start with, and whether it leaves
 * the connection open.
 */

/** Codes that leave the connection open. */
const nonFatalCodes = ["E_FIN_FAILED", "E_REQ_FAILED", "E_TOUCH_FAILED"] as const

/** All codes. */
export const errorCodes = [
  ...nonFatalCodes,
  "E_BAD_PROTOCOL",
  "E_INVALID",
  "E_BAD_BODY",
  "E_BAD_TOPIC",
  "E_BAD_CHANNEL",
  "E_BAD_MESSAGE",
  "E_IDENTIFY_FAILED",
  "E_SUB_FAILED",
  "E_PUB_FAILED",
  "E_MPUB_FAILED",
  "E_DPUB_FAILED",
  "E_HPUB_FAILED",
  "E_AUTH_FIRST",
  "E_AUTH_FAILED",
  "E_AUTH_DISABLED",
  "E_AUTH_ERROR",
  "E_UNAUTHORIZED"
] as const
/** The code of a wire error. */
export type ErrorCode = (typeof errorCodes)[number]

const known: ReadonlySet<string> = new Set(errorCodes)

const isErrorCode = (code: string): code is ErrorCode => known.has(code)

/**
 * Whether the server closes the connection after sending an error with this code.
 *
 * @since 0.2.0
 * @category predicates
 */
export const isFatal = (code: ErrorCode): boolean => !nonFatalCodes.some((each) => each === code)

/**
 * Returns the code of an error frame's data; `undefined` if it does not begin with one of NSQ's codes.
 *
 * @since 0.2.0
 * @category codecs
 */
export const parseErrorCode = (text: string): ErrorCode | undefined => {
  const space = text.indexOf(" ")
  const code = space < 0 ? text : text.slice(0, space)
  return isErrorCode(code) ? code : undefined
}
