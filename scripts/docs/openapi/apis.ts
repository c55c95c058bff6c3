/** The HTTP APIs of all daemons, and their OpenAPI documents. */
import { documentOf, type Node } from "./document.ts"
import { nsqadmin } from "./nsqadmin.ts"
import { nsqd } from "./nsqd.ts"
import { nsqlookupd } from "./nsqlookupd.ts"

/** The APIs by the name of their daemon. */
export const apis = { nsqd, nsqlookupd, nsqadmin }

/** The OpenAPI document of each daemon, by its name. */
export const documents = (): ReadonlyMap<string, Node> =>
  new Map(Object.entries(apis).map(([name, api]) => [name, documentOf(api)]))
