/**
 * Decides who may change the cluster: administrators, as in NSQ (section 7 of the nsqadmin notes). Requests that other sites'
 * pages send do not get here: see `RequestGuard`.
 */
import { Context, Effect, Layer } from "effect"
import { type Headers, HttpServerRequest } from "effect/http"
import { Forbidden } from "../../protocol/http/admin/AdminFailure.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"

export class AdminAccess extends Context.Service<AdminAccess, {
  readonly isAdmin: (headers: Headers.Headers) => boolean
  /** Fails unless the request may change something. */
  readonly check: Effect.Effect<void, Forbidden, HttpServerRequest.HttpServerRequest>
}>()("effect-nsq/admin/AdminAccess") {
  static readonly layer: Layer.Layer<AdminAccess> = Layer.effect(
    AdminAccess,
    Effect.gen(function*() {
      const { aclHttpHeader, adminUsers } = yield* NsqadminOptions
      const header = aclHttpHeader.toLowerCase()
      const isAdmin = (headers: Headers.Headers): boolean =>
        adminUsers.length === 0 || adminUsers.includes(headers[header] ?? "")
      return AdminAccess.of({
        isAdmin,
        check: Effect.gen(function*() {
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          if (!isAdmin(headers)) return yield* Effect.fail(Forbidden.make({ message: "FORBIDDEN" }))
        })
      })
    })
  )
}
