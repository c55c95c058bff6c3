/** Kinds of runs: how the daemon is configured, and what is expected of it. */
import type { TopicShape } from "./Ledger.ts"
import { longestDelayMillis } from "./load.ts"

/** What a daemon is configured to keep, and what a run expects from it. */
export const durabilities = ["memory", "written", "synced"] as const
export type Durability = (typeof durabilities)[number]

export const variantNames = ["sync-1", "sync-2500", "small-files", "small-files-2500"] as const
export type Variant = (typeof variantNames)[number]

/** Flags of the daemon's disk queue. They do not matter to durable topics. */
const variants: Readonly<Record<Variant, ReadonlyArray<string>>> = {
  "sync-1": ["--sync-every=1"],
  "sync-2500": ["--sync-every=2500"],
  "small-files": ["--sync-every=1", "--max-bytes-per-file=100000"],
  "small-files-2500": ["--sync-every=2500", "--max-bytes-per-file=100000"]
}

/** One kind of run. */
export type Kind =
  | { readonly durability: "memory"; readonly variant: Variant }
  | { readonly durability: Exclude<Durability, "memory">; readonly variant?: never }

/** Flags of the daemon. */
export const flagsOf = ({ durability, variant }: Kind): ReadonlyArray<string> =>
  durability === "memory"
    ? variants[variant]
    : [`--durability=${durability}`, `--max-req-timeout=${longestDelayMillis}ms`]

/** Topics of a run. */
export const topicsOf = ({ durability }: Kind): ReadonlyArray<TopicShape> =>
  durability === "memory"
    ? [
      { name: "one", channels: ["a"] },
      { name: "two", channels: ["a", "b"] },
      { name: "three", channels: ["a", "b", "c"] }
    ]
    : ["first", "second"].map((name) => ({ name, channels: ["a", "b", "c"] }))
