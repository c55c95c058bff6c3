/**
 * Endpoint names from before NSQ 1.0, which old guides still show and NSQ no longer serves. They behave like their
 * successors, also by GET unless the request comes from a browser (`RequestGuard`), and each logs its new name once.
 * `/put` and `/mput` are in `Publish`.
 */
import { Effect } from "effect"
import { type Handler, type Route, route } from "../../http/Router.ts"

const successors: ReadonlyMap<string, string> = new Map(
  ["topic", "channel"].flatMap((noun) =>
    ["create", "delete", "empty", "pause", "unpause"].map((verb) => [`/${verb}_${noun}`, `/${noun}/${verb}`] as const)
  )
)

/** Whether the path, in lower case, is an old name. */
export const isOld = (path: string): boolean => successors.has(path)

/** Routes for the old names of `routes`. */
export const make = (routes: ReadonlyArray<Route>): ReadonlyArray<Route> =>
  Array.from(successors).flatMap(([old, successor]) => {
    const now = routes.find(({ path }) => path === successor)
    if (now === undefined) return []
    let warned = false
    const handle: Handler = (request) =>
      Effect.suspend(() => {
        if (warned) return now.handle(request)
        warned = true
        return Effect.andThen(Effect.logWarning(`deprecated path ${old}, use ${successor}`), now.handle(request))
      })
    return [route("GET", old, handle), route("POST", old, handle)]
  })
