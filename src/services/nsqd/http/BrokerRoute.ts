/**
 * What the endpoints of `/topic/*` and `/channel/*` have in common: the method, the broker, an empty response, and the responses to
 * what the broker refuses and to a failed disk.
 */
import { Effect } from "effect"
import { empty, HttpFailure, type HttpResponse, internalError } from "../../http/HttpResponse.ts"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import type { BrokerError } from "../broker/BrokerError.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { refuse } from "./BrokerArguments.ts"

/** `INTERNAL_ERROR`, as NSQ responds when the disk fails. */
const storageFailed: Effect.Effect<never, HttpFailure> = Effect.fail(new HttpFailure({ response: internalError }))

/** Creates endpoints, by default for POST, whose actions use `broker`. The response is empty unless an action returns another. */
export const post = (broker: Broker["Service"]) =>
(
  path: string,
  act: (target: RequestTarget) => Effect.Effect<HttpResponse | void, BrokerError | HttpFailure | StorageError, Broker>,
  method: "DELETE" | "POST" | "PUT" = "POST"
): Route =>
  route(method, path, ({ target }: HttpRequest) =>
    act(target).pipe(
      Effect.catchTags({ BrokerError: refuse, StorageError: () => storageFailed }),
      Effect.map((response) => response ?? empty),
      Effect.provideService(Broker, broker)
    ))
