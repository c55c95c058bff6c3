/** Filter, order and visible rows of the list of topics. Pure. */
import type { TopicSummary } from "../../protocol/http/admin/AdminLive.ts"

/** The sortable columns. */
export type SortKey =
  | "topic"
  | "depth"
  | "channel_depth"
  | "in_flight_count"
  | "rate"
  | "message_count"
  | "channel_count"

/** The order of the list. */
export interface Sorting {
  readonly key: SortKey
  readonly descending: boolean
}

const compare = (key: SortKey, a: TopicSummary, b: TopicSummary): number => {
  const byName = a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0
  return key === "topic" ? byName : (a[key] ?? -1) - (b[key] ?? -1) || byName
}

/** Whether a name contains the filter's text, ignoring case. */
export const isWanted = (name: string, filter: string): boolean =>
  name.toLowerCase().includes(filter.trim().toLowerCase())

/** Returns the topics whose names contain the filter's text, sorted; equal figures are sorted by name. */
export const arrange = (
  topics: Iterable<TopicSummary>,
  filter: string,
  { descending, key }: Sorting
): ReadonlyArray<TopicSummary> =>
  [...topics]
    .filter(({ topic }) => isWanted(topic, filter))
    .sort((a, b) => descending ? compare(key, b, a) : compare(key, a, b))

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
