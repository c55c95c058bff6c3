/**
 * Restricts changes of the cluster to administrators (docs/protocol/http.md#administrators). `RequestGuard` refuses requests
 * from pages of other sites before they reach this service.
 */
import { Context, Effect, Layer } from "effect"
import { type Headers, HttpServerRequest } from "effect/http"
import { Forbidden } from "../../protocol/http/admin/AdminFailure.ts"
import * as Options from "./NsqadminOptions.ts"

/**
 * The check for administrators, by default the header and the names of the options.
 *
 * @since 0.2.0
 * @category services
 */
export class AdminAccess extends Context.Service<AdminAccess, {
  /** Whether the user in these headers is an administrator; always true without `--admin-user`. */
  readonly isAdmin: (headers: Headers.Headers) => boolean
  /** Fails unless the current request comes from an administrator. */
  readonly check: Effect.Effect<void, Forbidden, HttpServerRequest.HttpServerRequest>
}>()("effect-nsq/admin/AdminAccess") {
  static readonly layer: Layer.Layer<AdminAccess> = Layer.effect(
    AdminAccess,
    Effect.gen(function*() {
      const { aclHttpHeader, adminUsers } = yield* Options.reads.read(...Options.ofAccess)
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
