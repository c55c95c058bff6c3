/** The current page, from the browser's address, as an atom. */
import { Atom } from "effect/reactivity"
import * as Route from "./route.ts"
import { settings } from "./settings.ts"

const current = (): Route.Route => Route.parse(location.pathname, settings.basePath)

const changed = new EventTarget()

/** The route of the browser's address. */
export const routeAtom: Atom.Atom<Route.Route> = Atom.keepAlive(Atom.make((get) => {
  const update = () => get.setSelf(current())
  addEventListener("popstate", update)
  changed.addEventListener("change", update)
  get.addFinalizer(() => {
    removeEventListener("popstate", update)
    changed.removeEventListener("change", update)
  })
  return current()
}))

/** Returns the path of a page, with the base path. */
export const href = (route: Route.Route): string => Route.format(route, settings.basePath)

/** Shows a page and adds it to the browser's history. */
export const goTo = (route: Route.Route): void => {
  history.pushState(null, "", href(route))
  changed.dispatchEvent(new Event("change"))
  scrollTo(0, 0)
}
