/**
 * The pages as values, and their paths below the base path (docs/protocol/http.md#pages). Names are percent-encoded. Pure;
 * `navigation.ts` has the browser's history.
 */

/** A page. */
export type Route =
  | { readonly _tag: "Topics" }
  | { readonly _tag: "Topic"; readonly topic: string }
  | { readonly _tag: "Channel"; readonly topic: string; readonly channel: string }
  | { readonly _tag: "Messages"; readonly topic: string; readonly channel?: string }
  | { readonly _tag: "Policies" }
  | { readonly _tag: "Nodes" }
  | { readonly _tag: "Node"; readonly node: string }
  | { readonly _tag: "Client"; readonly node: string; readonly client: string }
  | { readonly _tag: "Counter" }
  | { readonly _tag: "Lookup" }
  | { readonly _tag: "Warnings" }
  | { readonly _tag: "Daemons" }
  | { readonly _tag: "Unknown"; readonly path: string }

export const topics: Route = { _tag: "Topics" }
export const topic = (topic: string): Route => ({ _tag: "Topic", topic })
export const channel = (topic: string, channel: string): Route => ({ _tag: "Channel", topic, channel })
export const messages = (topic: string, channel?: string): Route => ({
  _tag: "Messages",
  topic,
  ...(channel === undefined ? {} : { channel })
})
export const policies: Route = { _tag: "Policies" }
export const nodes: Route = { _tag: "Nodes" }
export const node = (node: string): Route => ({ _tag: "Node", node })
export const client = (node: string, client: string): Route => ({ _tag: "Client", node, client })
export const counter: Route = { _tag: "Counter" }
export const lookup: Route = { _tag: "Lookup" }
export const warnings: Route = { _tag: "Warnings" }
export const daemons: Route = { _tag: "Daemons" }

const simple = new Map<string, Route>([
  ["", topics],
  ["topics", topics],
  ["policies", policies],
  ["nodes", nodes],
  ["counter", counter],
  ["lookup", lookup],
  ["warnings", warnings],
  ["daemons", daemons]
])

/** Decodes a segment of a path; `undefined` if its encoding is invalid. */
const decode = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

/** Returns the page of a path, which may end with a slash. */
export const parse = (path: string, basePath: string): Route => {
  const unknown: Route = { _tag: "Unknown", path }
  if (path !== basePath && !path.startsWith(`${basePath}/`)) return unknown
  const [first = "", ...rest] = path.slice(basePath.length).split("/").filter((part) => part !== "").map(decode)
  const [second, third, fourth] = rest
  if (rest.some((part) => part === undefined) || rest.length > 3) return unknown
  if (second === undefined) return simple.get(first) ?? unknown
  if (fourth !== undefined) {
    return first === "nodes" && third === "clients" ? client(second, fourth) : unknown
  }
  if (first === "topics") return third === undefined ? topic(second) : channel(second, third)
  if (first === "messages") return messages(second, third)
  return first === "nodes" && third === undefined ? node(second) : unknown
}

const encode = encodeURIComponent

/** A colon is valid in a path and keeps the address readable. */
const encodeAddress = (address: string): string => encode(address).replaceAll("%3A", ":")

/** Returns the path of a page. */
export const format = (route: Route, basePath: string): string => {
  switch (route._tag) {
    case "Topics":
      return basePath === "" ? "/" : basePath
    case "Topic":
      return `${basePath}/topics/${encode(route.topic)}`
    case "Channel":
      return `${basePath}/topics/${encode(route.topic)}/${encode(route.channel)}`
    case "Messages": {
      const more = route.channel === undefined ? "" : `/${encode(route.channel)}`
      return `${basePath}/messages/${encode(route.topic)}${more}`
    }
    case "Node":
      return `${basePath}/nodes/${encodeAddress(route.node)}`
    case "Client":
      return `${basePath}/nodes/${encodeAddress(route.node)}/clients/${encodeAddress(route.client)}`
    case "Unknown":
      return route.path
    default:
      return `${basePath}/${route._tag.toLowerCase()}`
  }
}

/** Returns the title of a page. */
export const title = (route: Route): string => {
  switch (route._tag) {
    case "Topic":
      return route.topic
    case "Channel":
      return `${route.topic} / ${route.channel}`
    case "Messages":
      return `Messages of ${route.topic}${route.channel === undefined ? "" : ` / ${route.channel}`}`
    case "Node":
      return route.node
    case "Client":
      return `Client ${route.client}`
    case "Unknown":
      return "Not found"
    default:
      return route._tag
  }
}
