/**
 * How nsqadmin's API refuses: a status and `{"message"}`, whose text is NSQ's code or `UPSTREAM_ERROR: ` and what each daemon
 * said. The tags exist on both sides and not on the wire.
 */
import { Schema } from "effect"

const failure = <const Tag extends string>(tag: Tag, status: number) =>
  Schema.Struct({ _tag: Schema.tagDefaultOmit(tag), message: Schema.String }).annotate({
    identifier: tag,
    httpApiStatus: status
  })

/** A request that cannot be meant: `INVALID_TOPIC`, `INVALID_ACTION`, what is wrong with its JSON. */
export const BadRequest = failure("BadRequest", 400)
export type BadRequest = typeof BadRequest.Type

/** `FORBIDDEN`: not an admin, or a request that another site makes. */
export const Forbidden = failure("Forbidden", 403)
export type Forbidden = typeof Forbidden.Type

/** `NODE_NOT_FOUND`. */
export const NotFound = failure("NotFound", 404)
export type NotFound = typeof NotFound.Type

/** `INTERNAL_ERROR`: what was asked for is not in the answers. */
export const InternalError = failure("InternalError", 500)
export type InternalError = typeof InternalError.Type

/** There is no room for one more; names the option that makes room. */
export const Unavailable = failure("Unavailable", 503)
export type Unavailable = typeof Unavailable.Type

/** No daemon could be asked. */
export const UpstreamError = failure("UpstreamError", 502)
export type UpstreamError = typeof UpstreamError.Type

export type AdminFailure = BadRequest | Forbidden | NotFound | InternalError | Unavailable | UpstreamError
