/**
 * Endpoints that a program adds to a daemon's HTTP API. They are served like the daemon's own: with its checks of browsers and host
 * names, its 404 and 405 responses, its access log and its spans.
 */
import { Effect } from "effect"
import * as Arguments from "./Arguments.ts"
import * as Response from "./HttpResponse.ts"
import * as RequestBody from "./RequestBody.ts"
import * as Router from "./Router.ts"

/**
 * An endpoint of a daemon's HTTP API.
 *
 * @since 0.2.0
 * @category models
 */
export type HttpRoute = Router.Route

/**
 * A request to an endpoint.
 *
 * @since 0.2.0
 * @category models
 */
export type HttpRequest = Router.HttpRequest

/**
 * The response of an endpoint.
 *
 * @since 0.2.0
 * @category models
 */
export type HttpResponse = Response.HttpResponse

/**
 * The failure of an endpoint, with the response that states the reason.
 *
 * @since 0.2.0
 * @category errors
 */
export type HttpFailure = Response.HttpFailure

/**
 * Returns an endpoint. The path is in lower case and may end in `/:name`, whose value is `request.parameter`. A defect of the
 * handler becomes 500 `INTERNAL_ERROR`.
 *
 * ```ts
 * const hello = HttpRoute.make("GET", "/hello/:name", ({ parameter }) => Effect.succeed(HttpRoute.text(`hello ${parameter}`)))
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const make = (
  method: HttpRoute["method"],
  path: string,
  handle: (request: HttpRequest) => Effect.Effect<HttpResponse, HttpFailure>
): HttpRoute => Router.route(method, path, handle)

/**
 * 200 with text.
 *
 * @since 0.2.0
 * @category constructors
 */
export const text = (body: string): HttpResponse => Response.text(body)

/**
 * 200 with a value as JSON.
 *
 * @since 0.2.0
 * @category constructors
 */
export const json = (value: unknown): HttpResponse => Response.json(value)

/**
 * A failure with the status, and the code as the `message` of its JSON.
 *
 * @since 0.2.0
 * @category constructors
 */
export const failure = (status: number, code: string): HttpFailure => Response.fail(status, code)

/**
 * Returns the body of a request. Fails with 413 `MSG_TOO_BIG` if it has more than `limit` bytes; interrupted if the client
 * disconnects.
 *
 * @since 0.2.0
 * @category operations
 */
export const body = ({ incoming, outgoing }: HttpRequest, limit: number): Effect.Effect<Buffer, HttpFailure> =>
  Effect.filterOrFail(
    RequestBody.read(incoming, outgoing, limit),
    (bytes) => bytes !== undefined,
    () => failure(413, "MSG_TOO_BIG")
  )

/**
 * Returns the query parameters of a request, by name; the first value of each. Fails with 400 `INVALID_REQUEST` if the query is
 * not valid.
 *
 * @since 0.2.0
 * @category operations
 */
export const query = ({ target }: HttpRequest): Effect.Effect<ReadonlyMap<string, string>, HttpFailure> =>
  Arguments.query(target)
