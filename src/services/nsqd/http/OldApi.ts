/**
 * The endpoints' names from before NSQ 1.0, which old guides still show and NSQ itself no longer answers. They do what their
 * successors do, by GET as well unless a browser asks (`RequestGuard`), and say once in the log what they are called now. `/put` and `/mput` are in `Publish`.
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

/** The old names of those `routes` that had one. */
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
