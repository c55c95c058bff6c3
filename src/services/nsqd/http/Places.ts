/** Limits how many requests of a kind run at once: a request beyond the limit is refused. */
import { Effect, type Scope } from "effect"
import { fail, type HttpFailure } from "../../http/HttpResponse.ts"

/**
 * Creates `most` places, 0 for any number. The result takes one of them until the Scope closes, and fails with 503 and `code` if all are
 * taken.
 */
export const make = (most: number, code: string): Effect.Effect<void, HttpFailure, Scope.Scope> => {
  let taken = 0
  return Effect.acquireRelease(
    Effect.suspend(() => most > 0 && taken >= most ? Effect.fail(fail(503, code)) : Effect.sync(() => void taken++)),
    () => Effect.sync(() => void taken--)
  )
}
