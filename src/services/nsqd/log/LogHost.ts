/**
 * The options of a log, and what it needs from its owner: the disk, the time, fibers, and where its failures are shown. All logs of
 * a daemon have one host.
 */
import type { Effect } from "effect"
import type { Disk } from "../disk/Disk.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { LogDurability } from "../options/Durability.ts"
import type { LogMemory } from "./LogMemory.ts"
import type { StateSizes } from "./StateFile.ts"

/** Whose log it is, where it lies and how it is written. */
export interface TopicLogOptions {
  /** The topic's name in the log. */
  readonly topic: string
  /** Its parent must exist. */
  readonly directory: string
  readonly durability: LogDurability
  /** A segment is closed when it would become larger, in bytes. */
  readonly segmentBytes: number
  /** By default `usualStateSizes`. */
  readonly stateSizes?: StateSizes
}

/** The name of a topic's log in log lines. */
export const labelOf = (topic: string): string => `LOG(${topic})`

/** What a log needs from its owner. */
export interface LogHost {
  readonly disk: Disk["Service"]
  /** Shared by all logs. */
  readonly memory: LogMemory
  /** The wall clock, in ms since the Unix epoch. */
  readonly wallMillis: () => number
  /** Returns a random number of 32 bits. */
  readonly randomEpoch: () => number
  /** Runs the log's own work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** Sets the last failure of a part of a log; `undefined` once the part works again. */
  readonly note: (part: string, error: StorageError | undefined) => void
  /** Returns why messages of this size, in bytes, are refused before they are written; `undefined` if there is space. */
  readonly refusal: (bytes: number) => StorageError | undefined
}
