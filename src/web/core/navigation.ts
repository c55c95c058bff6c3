/** The browser's address as an atom: which page is shown. */
import { Atom } from "effect/reactivity"
import * as Route from "./route.ts"
import { settings } from "./settings.ts"

const current = (): Route.Route => Route.parse(location.pathname, settings.basePath)

const changed = new EventTarget()

/** The page that the address names. */
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

export const href = (route: Route.Route): string => Route.format(route, settings.basePath)

/** Shows another page. */
export const goTo = (route: Route.Route): void => {
  history.pushState(null, "", href(route))
  changed.dispatchEvent(new Event("change"))
  scrollTo(0, 0)
}
