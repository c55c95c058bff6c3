/**
 * Who may change the cluster: admins, as NSQ has it (section 7 of the nsqadmin notes), and of what browsers send only what our
 * own pages send. NSQ does not know the second rule, so that any web page that an admin visits can delete topics.
 */
import { Context, Effect, Layer } from "effect"
import { type Headers, HttpServerRequest } from "effect/http"
import { Forbidden } from "../../protocol/admin/AdminFailure.ts"
import { NsqadminOptions } from "../options/NsqadminOptions.ts"

const hostOf = (origin: string): string => URL.parse(origin)?.host ?? ""

/**
 * Whether our own pages, or no browser at all, sent the request. Browsers say where a request comes from; of two ways to do so
 * the newer one does not depend on the names that proxies pass on.
 */
export const isSameOrigin = (headers: Headers.Headers): boolean => {
  const site = headers["sec-fetch-site"]
  if (site !== undefined) return site === "same-origin" || site === "none"
  const { origin } = headers
  if (origin === undefined) return true
  const host = hostOf(origin)
  return host !== "" && (host === headers["host"] || host === headers["x-forwarded-host"])
}

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
          if (!isSameOrigin(headers)) {
            const message = "FORBIDDEN: the request comes from another site"
            return yield* Effect.fail(Forbidden.make({ message }))
          }
        })
      })
    })
  )
}
