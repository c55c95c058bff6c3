import type { ProcessingLatency } from "../../protocol/http/admin/AdminStats.ts"
import type { FlowRow } from "../core/flowRows.ts"
import * as Format from "../core/format.ts"
import { Picture } from "../graphite/Picture.tsx"
import type { Column } from "./Table.tsx"

const percentileOf = (latency: ProcessingLatency | undefined, quantile: number) =>
  latency?.percentiles?.find((one) => one.quantile === quantile)

const averageOf = (latency: ProcessingLatency | undefined, quantile: number): string =>
  Format.latency(percentileOf(latency, quantile)?.average, latency?.count ?? 0)

const rangeOf = (latency: ProcessingLatency | undefined, quantile: number): string | undefined => {
  const found = percentileOf(latency, quantile)
  if (found?.min === undefined || found.max === undefined || latency?.count === 0) return undefined
  return `min ${Format.nanoseconds(found.min)}, max ${Format.nanoseconds(found.max)}`
}

/**
 * A column per percentile of the time from publication to FIN; none if nsqd does not measure it. All but the highest percentile are
 * optional. `total` is the sum of the rows, if they belong together.
 */
export const latencyColumns = (all: ProcessingLatency, total?: FlowRow): ReadonlyArray<Column<FlowRow>> => {
  const percentiles = all.percentiles ?? []
  const highest = Math.max(...percentiles.map(({ quantile }) => quantile))
  return percentiles.map(({ quantile }, i) => {
    const cell = ({ latency, node }: FlowRow) => (
      <>
        <span title={rangeOf(latency, quantile)}>{averageOf(latency, quantile)}</span>
        {i === 0 && latency !== undefined && (
          <Picture metric="e2e_processing_latency" of={{ _tag: "Latency", latency, node: node === "" ? "*" : node }} />
        )}
      </>
    )
    return {
      name: Format.percentile(quantile),
      group: "Latency",
      title: "Time from publishing to FIN, the average of the nsqds",
      isOptional: quantile !== highest,
      numeric: true,
      cell,
      ...(total === undefined ? {} : { total: cell(total) })
    }
  })
}
