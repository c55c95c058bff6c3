/** Filter, order and visible rows of the list of topics. Pure. */
import type { TopicSummary } from "../../protocol/http/admin/AdminLive.ts"

/** The sortable columns. */
export type SortKey =
  | "topic"
  | "backlog"
  | "total"
  | "oldest"
  | "in_flight_count"
  | "deferred_count"
  | "rate"
  | "finish_rate"
  | "message_count"
  | "channel_count"
  | "client_count"

/** The order of the list. */
export interface Sorting {
  readonly key: SortKey
  readonly descending: boolean
}

/** The backlog first: it shows what is stuck. */
export const initialSorting: Sorting = { key: "backlog", descending: true }

/** Messages that wait in the topic and in all of its channels. */
export const totalOf = ({ channel_depth, depth }: TopicSummary): number => depth + channel_depth

const figureOf = (key: Exclude<SortKey, "topic">, summary: TopicSummary): number => {
  if (key === "total") return totalOf(summary)
  // The oldest message has the smallest time.
  if (key === "oldest") return summary.oldest === null ? -Infinity : -summary.oldest
  return summary[key] ?? -1
}

const compare = (key: SortKey, a: TopicSummary, b: TopicSummary): number => {
  const byName = a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0
  if (key === "topic") return byName
  const [first, second] = [figureOf(key, a), figureOf(key, b)]
  // Not a difference, which would be NaN for two infinities.
  return first < second ? -1 : first > second ? 1 : byName
}

/** Whether a name contains the filter's text, ignoring case. */
export const isWanted = (name: string, filter: string): boolean =>
  name.toLowerCase().includes(filter.trim().toLowerCase())

/** Returns the channels whose names contain the filter's text; none without a filter. */
export const wantedChannels = ({ channels }: TopicSummary, filter: string): ReadonlyArray<string> =>
  filter.trim() === "" ? [] : channels.filter((channel) => isWanted(channel, filter))

/** Returns the topics that match the filter, or of which a channel does, sorted; equal figures are sorted by name. */
export const arrange = (
  topics: Iterable<TopicSummary>,
  filter: string,
  { descending, key }: Sorting
): ReadonlyArray<TopicSummary> =>
  [...topics]
    .filter((summary) => isWanted(summary.topic, filter) || wantedChannels(summary, filter).length > 0)
    .sort((a, b) => descending ? compare(key, b, a) : compare(key, a, b))

const sortKeys: ReadonlyArray<SortKey> = [
  "topic",
  "backlog",
  "total",
  "oldest",
  "in_flight_count",
  "deferred_count",
  "rate",
  "finish_rate",
  "message_count",
  "channel_count",
  "client_count"
]

/** Parses the order of a page's address, such as `-backlog` for the largest first; undefined if it is not one. */
export const parseSorting = (text: string): Sorting | undefined => {
  const descending = text.startsWith("-")
  const key = sortKeys.find((key) => key === text.slice(descending ? 1 : 0))
  return key === undefined ? undefined : { key, descending }
}

/** Formats the order for a page's address. */
export const formatSorting = ({ descending, key }: Sorting): string => `${descending ? "-" : ""}${key}`

/** Returns the order after a click on a heading: figures descending, names ascending; a second click reverses it. */
export const sortBy = (current: Sorting, key: SortKey): Sorting =>
  current.key === key ? { key, descending: !current.descending } : { key, descending: key !== "topic" }

/** Rows rendered above and below the visible ones, so that slow scrolling shows no gaps. */
const margin = 10

/** Returns the range of rows to render. `top` is the distance of the first row above the window. Heights are in pixels. */
export const visibleRows = (
  rows: number,
  rowHeight: number,
  top: number,
  windowHeight: number
): { readonly first: number; readonly end: number } => {
  const first = Math.min(rows, Math.max(0, Math.floor(top / rowHeight) - margin))
  const end = Math.min(rows, Math.max(first, Math.ceil((top + windowHeight) / rowHeight) + margin))
  return { first, end }
}
