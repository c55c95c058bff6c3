/**
 * The error of requests to other servers, for every client in this package, with a tagged reason:
 * `Effect.catchReason("HttpError", "Timeout", ...)` handles one. Servers are not trusted, so nothing of a response is shown except
 * its status and NSQ's error codes.
 */
import { Data } from "effect"
import process from "node:process"
import { masked, maskedAddress } from "../core/Masked.ts"

/**
 * The reasons of an `HttpError`.
 *
 * @since 0.2.0
 * @category errors
 */
export type HttpErrorReason = Data.TaggedEnum<{
  /** The URL is not valid. */
  InvalidUrl: {}
  /** Another daemon announced the address, and `DaemonNetworks` does not allow it. */
  AddressRefusal: { readonly description: string }
  /**
   * No connection could be established, or it ended before the response was complete. `description` is the innermost error's text,
   * for example the operating system's; `code` is for example `ECONNREFUSED`, and empty for errors without one.
   */
  ConnectionFailure: { readonly description: string; readonly code: string }
  /** The exchange exceeded its timeout. */
  Timeout: {}
  /** The response exceeds its limit, or all responses together do. `option` is the flag that sets it, or `fixed limit`. */
  ResponseTooLarge: { readonly description: string; readonly option: string }
  /** A redirect to a host that must not receive the request, or from HTTPS to HTTP. */
  RedirectRefusal: { readonly status: number }
  /**
   * The status is not the expected one. `code` is the error code of an NSQ daemon, and empty without one. `detail` is what follows the
   * code, for codes of effect-nsq's nsqd that need it, such as `INVALID_POLICY`.
   */
  UnexpectedStatus: { readonly status: number; readonly code: string; readonly detail?: string }
  /** The body does not have the expected form. */
  InvalidResponse: {}
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const HttpErrorReason = Data.taggedEnum<HttpErrorReason>()

const describe: (reason: HttpErrorReason) => string = HttpErrorReason.$match({
  InvalidUrl: () => "not a valid URL",
  AddressRefusal: ({ description }) => description,
  ConnectionFailure: ({ description }) => description,
  Timeout: () => "request timeout",
  ResponseTooLarge: ({ description, option }) => `${description} (${option})`,
  RedirectRefusal: ({ status }) => `got response ${status} with a redirect to another host`,
  UnexpectedStatus: ({ status }) => `got response ${status}`,
  InvalidResponse: () => "invalid response"
})

/**
 * Returns the name of a status, such as `Not Found`. An import of `node:http` takes 30 ms at the start of every client, because the
 * module loads Node's fetch, HTTP/2, TLS and zlib for its exports.
 */
const nameOf = (status: number): string => process.getBuiltinModule("node:http").STATUS_CODES[status] ?? ""

/**
 * A request to another server failed. The message is that of NSQ's HTTP client: the status and the server, or method, URL and
 * reason.
 *
 * @since 0.2.0
 * @category errors
 */
export class HttpError extends Data.TaggedError("HttpError")<{
  /** The server, as configured or announced: `host:port`, or the host of its URL. */
  readonly address: string
  readonly method: string
  /** The requested URL without credentials. */
  readonly url: string
  readonly reason: HttpErrorReason
}> {
  /** The text of the reason, without method, URL and server: for callers that word the error differently. */
  get description(): string {
    return describe(this.reason)
  }

  override get message(): string {
    const { address, method, reason, url } = this
    if (reason._tag === "UnexpectedStatus") {
      const { code, status } = reason
      return `got response ${status} ${nameOf(status)}${code && ` ${code}`} of ${maskedAddress(address)}`
    }
    const verb = method.slice(0, 1) + method.slice(1).toLowerCase()
    return masked(`${verb} "${url}": ${this.description}`)
  }
}
