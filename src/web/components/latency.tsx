import type { ProcessingLatency } from "../../protocol/http/admin/AdminStats.ts"
import * as Format from "../core/format.ts"
import { Picture } from "../graphite/Picture.tsx"
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

/** A column per percentile of the time from publication to FIN; none if nsqd does not measure it. */
export const latencyColumns = <A extends { readonly node: string; readonly e2e_processing_latency: ProcessingLatency }>(
  all: ProcessingLatency,
  /** The sum of the rows, if they belong together. */
  total?: A
): ReadonlyArray<Column<A>> =>
  (all.percentiles ?? []).map(({ quantile }, i) => {
    const cell = ({ e2e_processing_latency: latency, node }: A) => (
      <>
        <span title={rangeOf(latency, quantile)}>{averageOf(latency, quantile)}</span>
        {i === 0 && <Picture metric="e2e_processing_latency" of={{ _tag: "Latency", latency, node }} />}
      </>
    )
    return {
      name: Format.percentile(quantile),
      title: "End-to-end processing latency, average",
      numeric: true,
      cell,
      ...(total === undefined ? {} : { total: cell(total) })
    }
  })
