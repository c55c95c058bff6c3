/** Handlers of `/api/policies` (docs/nsqadmin.md#policies). */
import { Duration, Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest } from "../../protocol/http/admin/AdminFailure.ts"
import { AnyPolicy } from "../../protocol/http/admin/AdminStorage.ts"
import { RequestTimeout } from "../http/DaemonHttp.ts"
import { AdminAccess } from "./AdminAccess.ts"
import { ClusterPolicies } from "./ClusterPolicies.ts"
import * as JsonBody from "./JsonBody.ts"
import { Notifications } from "./Notifications.ts"

/** Limit for a policy, as of nsqd. */
const maxPolicyBytes = 65_536

/** Applies the parameter `timeout` of a request, in ms, to the requests to daemons. */
const withTimeout = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  timeout: string | undefined
): Effect.Effect<A, E | BadRequest, R> => {
  if (timeout === undefined) return effect
  return /^[1-9]\d{0,8}$/.test(timeout)
    ? Effect.provideService(effect, RequestTimeout, Duration.millis(Number(timeout)))
    : Effect.fail(BadRequest.make({ message: "INVALID_ARG_TIMEOUT" }))
}

/** The handlers of the group `policies`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "policies",
  Effect.fnUntraced(function*(handlers) {
    const access = yield* AdminAccess
    const notifications = yield* Notifications
    const policies = yield* ClusterPolicies

    const set = Effect.gen(function*() {
      yield* access.check
      const policy = yield* JsonBody.decode(AnyPolicy, maxPolicyBytes)
      const response = yield* policies.set(policy)
      yield* notifications.tell({ action: "set_policy", policy: String(policy["match"]) })
      return response
    }).pipe(Effect.catchTag("NotFound", ({ message }) => Effect.fail(BadRequest.make({ message }))))

    const remove = Effect.fnUntraced(function*(match: string | undefined) {
      yield* access.check
      if (match === undefined) return yield* Effect.fail(BadRequest.make({ message: "MISSING_ARG_MATCH" }))
      const response = yield* policies.remove(match)
      yield* notifications.tell({ action: "delete_policy", policy: match })
      return response
    })

    return handlers
      .handle("list", ({ query }) => withTimeout(policies.list, query.timeout))
      .handle(
        "inForce",
        ({ params, query }) => withTimeout(policies.inForce(params.topic, query.channel), query.timeout)
      )
      .handleRaw("set", () => set)
      .handle("remove", ({ query }) => remove(query.match))
  })
)
