/** The routes that a program adds to a daemon's own. */
import { Effect, type Scope } from "effect"
import { type OptionsError, refusedValue } from "../options/OptionsError.ts"
import type * as Router from "./Router.ts"

/** A program's endpoints; made when the daemon starts, with the services of the program. */
export type Routes<E, R> = Effect.Effect<ReadonlyArray<Router.Route>, E, R | Scope.Scope>

/**
 * Returns the daemon's routes with a program's own. An own route replaces the daemon's with the same method and path. Fails for a
 * path that no request can match.
 */
export const combine = (
  standard: ReadonlyArray<Router.Route>,
  own: ReadonlyArray<Router.Route>,
  isReserved: (route: Router.Route) => boolean = () => false
): Effect.Effect<ReadonlyArray<Router.Route>, OptionsError> => {
  const wrong = own.find(({ path }) => !path.startsWith("/") || path !== path.toLowerCase().replaceAll(/\/{2,}/g, "/"))
  if (wrong !== undefined) {
    return Effect.fail(
      refusedValue(`the route "${wrong.path}" has no effect: a path starts with / and is in lower case`)
    )
  }
  const reserved = own.find(isReserved)
  if (reserved !== undefined) {
    return Effect.fail(
      refusedValue(`the route ${reserved.method} ${reserved.path} has no effect: replace the Publisher instead`)
    )
  }
  return Effect.succeed([...standard, ...own])
}
