/** Users of nsqadmin's API in tests. */
import { Effect } from "effect"
import { Forbidden } from "../../../src/protocol/http/admin/AdminFailure.ts"
import { AdminAccess } from "../../../src/services/nsqadmin/AdminAccess.ts"

export const administrator = AdminAccess.of({ isAdmin: () => true, check: Effect.void })

/** May see everything and change nothing. */
export const visitor = AdminAccess.of({
  isAdmin: () => false,
  check: Effect.fail(Forbidden.make({ message: "FORBIDDEN" }))
})
