import type { ProcessingLatency } from "../../protocol/admin/AdminStats.ts"
import * as Format from "../format.ts"
import type { Column } from "./Table.tsx"

const averageOf = (latency: ProcessingLatency, quantile: number): string => {
  const found = latency.percentiles?.find((one) => one.quantile === quantile)
  return found?.average === undefined ? "" : Format.nanoseconds(found.average)
}

const rangeOf = (latency: ProcessingLatency, quantile: number): string => {
  const found = latency.percentiles?.find((one) => one.quantile === quantile)
  if (found?.min === undefined || found.max === undefined) return ""
  return `min ${Format.nanoseconds(found.min)}, max ${Format.nanoseconds(found.max)}`
}

/** A column for each percentile of the time from publication to the end of a message; none where nsqd does not measure. */
export const latencyColumns = <A extends object>(
  total: ProcessingLatency,
  of: (row: A) => ProcessingLatency,
  /** Whether `total` is that of the rows. */
  isTotalled = true
): ReadonlyArray<Column<A>> =>
  (total.percentiles ?? []).map(({ quantile }) => ({
    name: Format.percentile(quantile),
    title: "end-to-end processing latency, average",
    numeric: true,
    cell: (row) => <span title={rangeOf(of(row), quantile)}>{averageOf(of(row), quantile)}</span>,
    ...(isTotalled ? { total: <span title={rangeOf(total, quantile)}>{averageOf(total, quantile)}</span> } : {})
  }))
