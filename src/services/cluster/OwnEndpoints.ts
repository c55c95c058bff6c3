/**
 * Requests to endpoints that only effect-nsq's nsqd has. An nsqd that responds with 404 gets no further request for a while,
 * because NSQ's nsqd logs each of them.
 */
import { Clock, Effect, type Schema } from "effect"
import type { DaemonHttp } from "../http/DaemonHttp.ts"
import type { HttpError } from "../http/HttpError.ts"
import type { Origin } from "../net/DaemonNetworks.ts"

/** The time until the next request to an nsqd without an endpoint: another program may run there meanwhile. In milliseconds. */
const againAfter = 5 * 60_000

/** Limit for remembered nsqds. */
const maxRemembered = 10_000

/** Whether the daemon does not have the requested path. */
export const isMissing = ({ reason }: HttpError): boolean =>
  reason._tag === "UnexpectedStatus" && (reason.status === 404 || reason.status === 405)

/** The endpoints. */
export interface OwnEndpoints {
  /** Requests a path with query; the result is `undefined` if the nsqd does not have the path. */
  readonly get: <A, I>(
    schema: Schema.Codec<A, I>,
    address: string,
    path: string,
    origin: Origin
  ) => Effect.Effect<A | undefined, HttpError>
}

/** Returns the endpoints, requested with this client. */
export const make = (daemons: DaemonHttp["Service"]): OwnEndpoints => {
  /** The earliest time of the next request, by address. */
  const missing = new Map<string, number>()
  return {
    get: Effect.fnUntraced(function*(schema, address, path, origin) {
      const now = yield* Clock.currentTimeMillis
      const until = missing.get(address)
      if (until !== undefined && now < until) return undefined
      missing.delete(address)
      return yield* daemons.get(schema, address, path, origin).pipe(
        Effect.catchIf(isMissing, () =>
          Effect.sync(() => {
            if (missing.size < maxRemembered) missing.set(address, now + againAfter)
            return undefined
          }))
      )
    })
  }
}
