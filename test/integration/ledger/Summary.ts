/** The result of a run, and which of its numbers are faults. */
import type { Durability, Variant } from "./kinds.ts"
import type { Later } from "./queues.ts"
import type { Report } from "./Report.ts"
import type { StartTimes } from "./starts.ts"

export interface Spread {
  readonly median: number
  readonly max: number
}

/** The result of a run. */
export interface Summary extends Report {
  readonly durability: Durability
  readonly variant?: Variant
  readonly seed: number
  readonly kills: number
  readonly killsDuringStart: number
  /** Starts before which the wall clock of the daemon was set back. */
  readonly clocksSetBack: number
  readonly seconds: number
  /** Acknowledged messages of durable topics that a drain did not deliver although they were due. A restart may deliver them. */
  readonly stranded: number
  /** Messages that are due after the end of the run, which the daemon still has. */
  readonly later: Later
  /** Messages that the daemon has at the end although all are finished. */
  readonly waiting: number
  /** Channels that a kill removed after their creation had a reply. */
  readonly missingQueues: ReadonlyArray<string>
  /** Publishes that the daemon refused without a fault. */
  readonly refused: ReadonlyArray<string>
  /** Messages redelivered after SIGTERM and a start. */
  readonly deliveriesAfterCleanStop: number
  readonly exitCode: number | null
  /** Data files, metadata and other files left at the end. */
  readonly filesLeft: number
  readonly temporaryFilesLeft: number
  readonly startMillisUnderLoad: Spread
  /** The longest time of a commit in the last second before a kill, which is allowed for if it is longer than 50 ms. */
  readonly commitMillisBeforeKills: Spread
  /** Kills within flush window and allowance after a time in which writes to the disk took longer than the flush window. */
  readonly killsInStalls: number
  readonly starts: StartTimes | undefined
}

/**
 * Lists the failed checks of a run. Topics that are not durable may redeliver finished messages: `duplicatesPercent` is the limit, in
 * percent of all deliveries.
 */
export const faults = (summary: Summary, { duplicatesPercent }: { readonly duplicatesPercent: number }) => {
  const durable = summary.durability !== "memory"
  const counts: ReadonlyArray<readonly [number, string]> = [
    [summary.lost, "acknowledged messages lost"],
    [durable ? summary.deferredLost : 0, "acknowledged messages with a delay lost"],
    [summary.stranded, "due messages not delivered without a restart"],
    [summary.later.missing, "messages for later lost"],
    [summary.later.unexpected, "messages for later too many"],
    [summary.waiting, "finished messages left"],
    [summary.invented, "invented messages"],
    [summary.corrupt, "corrupt bodies"],
    [summary.early, "deliveries before the delay had passed"],
    [durable ? summary.lowerAttempts : 0, "deliveries with too few attempts"],
    [summary.changedIds, "changed ids"],
    [summary.reusedIds, "reused ids"],
    [summary.decreasingIds, "decreasing ids"],
    [durable ? summary.staleDuplicates : 0, "duplicates beyond the flush window"],
    [durable ? summary.secondCopies : 0, "messages delivered twice after one restart"],
    [summary.duplicatesWithoutRestart, "duplicates without a restart"],
    [summary.deliveriesAfterCleanStop, "deliveries after a clean stop"],
    [summary.temporaryFilesLeft, "temporary files left"]
  ]
  return [
    ...counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`),
    ...!durable && summary.duplicatesPercent >= duplicatesPercent
      ? [`${summary.duplicatesPercent} % of deliveries were duplicates`]
      : [],
    ...summary.missingQueues.length > 0 ? [`channels missing: ${summary.missingQueues.join(", ")}`] : [],
    ...summary.refused.length > 0 ? [`publishes refused: ${summary.refused.join("; ")}`] : [],
    ...summary.exitCode !== 0 ? [`exit code ${summary.exitCode}`] : [],
    ...summary.starts !== undefined && summary.starts.ratio > 2
      ? [`a start after a kill takes ${summary.starts.ratio} times as long as after SIGTERM`]
      : []
  ]
}
