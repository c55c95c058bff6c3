/** Which topics the list shows and in which order, and which of its rows are in view. Pure. */
import type { TopicSummary } from "../../protocol/http/admin/AdminLive.ts"

export type SortKey =
  | "topic"
  | "depth"
  | "channel_depth"
  | "in_flight_count"
  | "rate"
  | "message_count"
  | "channel_count"

export interface Sorting {
  readonly key: SortKey
  readonly descending: boolean
}

const compare = (key: SortKey, a: TopicSummary, b: TopicSummary): number => {
  const byName = a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0
  return key === "topic" ? byName : (a[key] ?? -1) - (b[key] ?? -1) || byName
}

/** Whether a name contains the text, whatever its case. */
export const isWanted = (name: string, filter: string): boolean =>
  name.toLowerCase().includes(filter.trim().toLowerCase())

/** Topics whose names contain the text, sorted. */
export const arrange = (
  topics: Iterable<TopicSummary>,
  filter: string,
  { descending, key }: Sorting
): ReadonlyArray<TopicSummary> =>
  [...topics]
    .filter(({ topic }) => isWanted(topic, filter))
    .sort((a, b) => descending ? compare(key, b, a) : compare(key, a, b))

/** A click on a heading: figures begin with the largest, names with the first; a second click turns it round. */
export const sortBy = (current: Sorting, key: SortKey): Sorting =>
  current.key === key ? { key, descending: !current.descending } : { key, descending: key !== "topic" }

/** Rows drawn above and below what is seen, so that slow scrolling shows no gaps. */
const margin = 10

/** The rows in view: `top` is how far the first row lies above the upper edge of the window. Heights are in pixels. */
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
