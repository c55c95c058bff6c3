/**
 * The error responses of nsqadmin's API: a status and `{"message"}`, which is NSQ's error code, or `UPSTREAM_ERROR: ` and the
 * error of each daemon. The tags exist in server and client only, not on the wire.
 */
import { Schema } from "effect"

const failure = <const Tag extends string>(tag: Tag, status: number) =>
  Schema.Struct({ _tag: Schema.tagDefaultOmit(tag), message: Schema.String }).annotate({
    identifier: tag,
    httpApiStatus: status
  })

/** The request is invalid: `INVALID_TOPIC`, `INVALID_ACTION` or the like, or the error in its JSON. */
export const BadRequest = failure("BadRequest", 400)
export type BadRequest = typeof BadRequest.Type

/** `FORBIDDEN`: the user is not an administrator, or the request comes from another site. */
export const Forbidden = failure("Forbidden", 403)
export type Forbidden = typeof Forbidden.Type

/** `NODE_NOT_FOUND` or `CHANNEL_NOT_FOUND`. */
export const NotFound = failure("NotFound", 404)
export type NotFound = typeof NotFound.Type

/** `INTERNAL_ERROR`: Graphite failed or did not return a value. */
export const InternalError = failure("InternalError", 500)
export type InternalError = typeof InternalError.Type

/** A limit on concurrent streams is reached. The message names the option that sets it. */
export const Unavailable = failure("Unavailable", 503)
export type Unavailable = typeof Unavailable.Type

/** All daemons failed. The message has the error of each. */
export const UpstreamError = failure("UpstreamError", 502)
export type UpstreamError = typeof UpstreamError.Type

/** Any error response of nsqadmin's API. */
export type AdminFailure = BadRequest | Forbidden | NotFound | InternalError | Unavailable | UpstreamError
