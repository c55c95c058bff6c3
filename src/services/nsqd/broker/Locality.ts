/**
 * How near a consumer is to the broker, for NSQ's experiment of topology-aware consumption (section 17 of the protocol
 * notes): messages go to consumers of the broker's zone first, then to those of its region, then to all others.
 */
import type { NsqdOptions } from "../options/NsqdOptions.ts"

export interface Locality {
  /** Under which counter NSQ counts what the consumer gets. */
  readonly counted: "zone" | "region" | "global"
  /** Consumers with a lower one are served first. */
  readonly rank: number
}

/** Every consumer's while the experiment is off. */
export const global: Locality = { counted: "global", rank: 2 }

/** All ranks, the nearest first. */
export const ranks: ReadonlyArray<number> = [0, 1, 2]

type Topology = Pick<NsqdOptions, "enableExperiment" | "topologyRegion" | "topologyZone">

/** Whether the experiment is on. */
export const isAware = ({ enableExperiment }: Topology): boolean =>
  enableExperiment.includes("topology-aware-consumption")

/**
 * The locality of a consumer that says where it is. As in NSQ, who names no zone to a broker without one is counted as local,
 * but is not preferred.
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
