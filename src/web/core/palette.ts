/** The entries of the command palette, and which of them match what the user has typed. Pure. */
import type { DaemonState, TopicSummary } from "../../protocol/http/admin/AdminLive.ts"
import * as Route from "./route.ts"

/** A page to go to. */
export interface Entry {
  readonly kind: "Page" | "Topic" | "Channel" | "Node" | "Client"
  readonly name: string
  readonly route: Route.Route
  /** The name in lower case, which is searched. */
  readonly searched: string
}

/** Returns an entry. */
export const entry = (kind: Entry["kind"], name: string, route: Route.Route): Entry => ({
  kind,
  name,
  route,
  searched: name.toLowerCase()
})

/** The pages that always exist. */
const pages: ReadonlyArray<Entry> = [
  Route.topics,
  Route.warnings,
  Route.nodes,
  Route.daemons,
  Route.policies,
  Route.lookup,
  Route.counter
].map((route) => entry("Page", Route.title(route), route))

/** Returns all entries: pages, nodes, then topics, each with its channels. */
export const entriesOf = (
  topics: ReadonlyMap<string, TopicSummary>,
  daemons: ReadonlyArray<DaemonState>
): ReadonlyArray<Entry> => {
  const entries = [...pages]
  for (const { address, hostname, kind } of daemons) {
    if (kind !== "nsqd") continue
    const name = hostname === "" || address.startsWith(hostname) ? address : `${hostname} (${address})`
    entries.push(entry("Node", name, Route.node(address)))
  }
  for (const { channels, topic } of topics.values()) {
    entries.push(entry("Topic", topic, Route.topic(topic)))
    for (const channel of channels) {
      entries.push(entry("Channel", `${topic} / ${channel}`, Route.channel(topic, channel)))
    }
  }
  return entries
}

const isWordStart = (text: string, at: number): boolean => at === 0 || !/[a-z\d]/.test(text[at - 1] ?? "")

/**
 * Returns how well a text matches a term; undefined if it does not. A whole part of the text beats letters with gaps between them, the
 * start of a word its middle.
 */
const scoreOf = (text: string, term: string): number | undefined => {
  const at = text.indexOf(term)
  if (at >= 0) return 200 + (at === 0 ? 50 : isWordStart(text, at) ? 30 : 0) + (text.length === term.length ? 50 : 0)
  let score = 100
  let next = 0
  for (const letter of term) {
    const found = text.indexOf(letter, next)
    if (found < 0) return undefined
    score -= isWordStart(text, found) ? 0 : Math.min(10, found - next)
    next = found + 1
  }
  return score
}

/** Returns the entries that match all words of the query, the best first, at most `max`. Without a query the first ones. */
export const search = (entries: ReadonlyArray<Entry>, query: string, max: number): ReadonlyArray<Entry> => {
  const terms = query.toLowerCase().split(/\s+/).filter((term) => term !== "")
  if (terms.length === 0) return entries.slice(0, max)
  const matches: Array<readonly [entry: Entry, score: number]> = []
  for (const entry of entries) {
    let sum = -entry.name.length / 10
    for (const term of terms) sum += scoreOf(entry.searched, term) ?? -Infinity
    if (sum > -Infinity) matches.push([entry, sum])
  }
  return matches.sort(([, a], [, b]) => b - a).slice(0, max).map(([entry]) => entry)
}
