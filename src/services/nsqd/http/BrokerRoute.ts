/**
 * What the endpoints of `/topic/*` and `/channel/*` have in common: POST, the broker, and the response to a failed disk.
 */
import { Effect } from "effect"
import { HttpFailure, type HttpResponse, internalError } from "../../http/HttpResponse.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"

/** Fails with `INTERNAL_ERROR`, as NSQ does when the disk fails. */
export const storageFailed: Effect.Effect<never, HttpFailure> = Effect.fail(
  new HttpFailure({ response: internalError })
)

/** Creates endpoints, by default for POST, whose handlers use `broker`. */
export const post = (broker: Broker["Service"]) =>
(
  path: string,
  handle: (request: HttpRequest) => Effect.Effect<HttpResponse, HttpFailure, Broker>,
  method: "POST" | "PUT" = "POST"
): Route => route(method, path, (request) => Effect.provideService(handle(request), Broker, broker))
