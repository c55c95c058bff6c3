/**
 * What an nsqd is told by flags, environment and config file, put together: a flag wins over the environment, that over the
 * file, the file over the default. Lists are replaced, never joined. Whether the values make sense is for NsqdOptionsCheck.
 */
import { Effect } from "effect"
import type { Settings } from "../../options/ConfigFile.ts"
import * as DaemonConfig from "../../options/DaemonConfig.ts"
import type { Environment } from "../../options/Environment.ts"
import type { NsqdCommand } from "./NsqdFlags.ts"
import * as NsqdOptions from "./NsqdOptions.ts"
import { NsqdStartError } from "./NsqdStartError.ts"

/** Flags without effect, which files of old versions may have as keys. */
const unusedKeys = new Set(["verbose", "worker_id"])

/** Options of NSQ that have no meaning here, and why. */
const withoutMeaning: ReadonlyArray<{ readonly field: keyof NsqdOptions.NsqdOptions; readonly why: string }> = [
  { field: "queueScanWorkerPoolMax", why: "time-outs are kept by timers, so there are no workers to scan for them" },
  { field: "queueScanSelectionCount", why: "the time-outs of every channel are kept, not those of a selection" }
]

const meaningless = (given: Partial<NsqdOptions.NsqdOptions>): Array<string> =>
  withoutMeaning
    .filter(({ field }) => given[field] !== undefined)
    .map(({ field, why }) => `--${NsqdOptions.table[field].flag} has no effect: ${why}`)

const experiments = ["topology-aware-consumption"]

const unknownExperiments = ({ enableExperiment = [] }: Partial<NsqdOptions.NsqdOptions>): Array<string> =>
  enableExperiment
    .filter((name) => !experiments.includes(name))
    .map((name) => `--enable-experiment=${name} has no effect: there is no such experiment`)

/** The options that are set anywhere, and what to warn of. */
export const settle = (
  command: NsqdCommand,
  environment: Environment
): Effect.Effect<Settings<NsqdOptions.NsqdOptions>, NsqdStartError> =>
  DaemonConfig.settle("nsqd", NsqdOptions.table, unusedKeys, command, environment).pipe(
    Effect.mapError(({ detail, stage }) => new NsqdStartError({ stage, detail })),
    Effect.map(({ given, warnings }) => ({
      given,
      warnings: [...warnings, ...meaningless(given), ...unknownExperiments(given)]
    }))
  )
