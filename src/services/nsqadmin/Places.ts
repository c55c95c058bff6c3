/**
 * Limits how many long responses of a kind run at a time, because each costs memory or connections for as long as a browser wants.
 */
import { Effect, type Scope } from "effect"
import { Unavailable } from "../../protocol/http/admin/AdminFailure.ts"

/**
 * Returns an Effect that takes a place until its Scope closes. It fails with `message` if all `max` places are taken; with `max` <= 0
 * it never fails.
 */
export const make = (max: number, message: string): Effect.Effect<void, Unavailable, Scope.Scope> => {
  let taken = 0
  return Effect.acquireRelease(
    Effect.suspend(() =>
      max <= 0 || taken < max ? Effect.sync(() => void taken++) : Effect.fail(Unavailable.make({ message }))
    ),
    () => Effect.sync(() => void taken--)
  )
}
