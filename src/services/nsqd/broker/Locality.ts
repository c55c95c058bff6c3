/**
 * The locality of a consumer for NSQ's topology-aware consumption
 * (docs/protocol/client.md#topology-aware-consumption): messages go first to consumers in the broker's zone, then to
 * those in its region, then to all others.
 */
import type { NsqdOptions } from "../options/NsqdOptions.ts"

/** The locality of a consumer. */
export interface Locality {
  /** NSQ's counter for messages delivered to the consumer. */
  readonly counted: "zone" | "region" | "global"
  /** Consumers with a lower rank are served first. */
  readonly rank: number
}

/** The locality of all consumers while the experiment is disabled. */
export const global: Locality = { counted: "global", rank: 2 }

/** All ranks, the nearest first. */
export const ranks: ReadonlyArray<number> = [0, 1, 2]

type Topology = Pick<NsqdOptions, "enableExperiment" | "topologyRegion" | "topologyZone">

/** Whether the experiment is enabled. */
export const isAware = ({ enableExperiment }: Topology): boolean =>
  enableExperiment.includes("topology-aware-consumption")

/**
 * The locality of a consumer by its zone and region. As in NSQ, a consumer without a zone on a broker without one
 * counts as local, but is not preferred.
 */
export const of = (broker: Topology, zone: string, region: string): Locality => {
  if (!isAware(broker)) return global
  const sameZone = zone === broker.topologyZone
  const sameRegion = region === broker.topologyRegion
  return {
    counted: sameZone ? "zone" : sameRegion ? "region" : "global",
    rank: sameZone && zone !== "" ? 0 : sameRegion && region !== "" ? 1 : 2
  }
}
