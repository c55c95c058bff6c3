/** Limits how many requests of a kind run at once, because each costs memory or a connection for as long as its client wants. */
import { Effect, type Scope } from "effect"

/**
 * Creates `most` places; with 0 or less there is no limit. The result takes one of them until the Scope closes, and fails with `refusal` if
 * all are taken.
 */
export const make = <E>(most: number, refusal: () => E): Effect.Effect<void, E, Scope.Scope> => {
  let taken = 0
  return Effect.acquireRelease(
    Effect.suspend(() => most > 0 && taken >= most ? Effect.fail(refusal()) : Effect.sync(() => void taken++)),
    () => Effect.sync(() => void taken--)
  )
}
