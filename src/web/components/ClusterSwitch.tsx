import { useAtomValue } from "@effect/atom-react"
import { routeAtom } from "../core/navigation.ts"
import * as Route from "../core/route.ts"
import { settings } from "../core/settings.ts"

/** The page to show in another cluster: the same, unless it is of something that only this cluster may have, such as a topic. */
const pageElsewhere = (route: Route.Route): Route.Route => {
  switch (route._tag) {
    case "Topic":
    case "Channel":
    case "Messages":
    case "Unknown":
      return Route.topics
    case "Node":
    case "Client":
      return Route.nodes
    default:
      return route
  }
}

/** A menu of the clusters; nothing if there is one only. */
export const ClusterSwitch = () => {
  const route = useAtomValue(routeAtom)
  const { cluster, clusters } = settings
  return clusters.length === 0 ? null : (
    <select
      className="cluster"
      aria-label="Cluster"
      value={cluster}
      onChange={({ target }) => {
        const chosen = clusters.find(({ name }) => name === target.value)
        if (chosen !== undefined) location.assign(Route.format(pageElsewhere(route), chosen.basePath))
      }}
    >
      {clusters.map(({ name }) => <option key={name}>{name}</option>)}
    </select>
  )
}
