/**
 * Merges nsqd's flags, environment variables, config file and defaults, in this order of precedence. Lists are
 * replaced, not merged. Values are checked by `NsqdOptionsCheck`.
 */
import { Effect } from "effect"
import type { Settings } from "../../options/ConfigFile.ts"
import * as DaemonConfig from "../../options/DaemonConfig.ts"
import type { Environment } from "../../options/Environment.ts"
import type { NsqdCommand } from "./NsqdFlags.ts"
import * as NsqdOptions from "./NsqdOptions.ts"
import { NsqdStartError } from "./NsqdStartError.ts"

/** Config keys of flags without effect, which old config files may contain. */
const unusedKeys = new Set(["verbose", "worker_id"])

/** NSQ options that are accepted but have no effect, each with the reason. */
const withoutMeaning: ReadonlyArray<{ readonly field: keyof NsqdOptions.NsqdOptions; readonly why: string }> = [
  { field: "queueScanWorkerPoolMax", why: "timeouts are driven by timers, not by scan workers" },
  { field: "queueScanSelectionCount", why: "the timeouts of all channels are tracked, not those of a selection" }
]

const meaningless = (given: Partial<NsqdOptions.NsqdOptions>): Array<string> =>
  withoutMeaning
    .filter(({ field }) => given[field] !== undefined)
    .map(({ field, why }) => `--${NsqdOptions.table[field].flag} has no effect: ${why}`)

const experiments = ["topology-aware-consumption"]

const unknownExperiments = ({ enableExperiment = [] }: Partial<NsqdOptions.NsqdOptions>): Array<string> =>
  enableExperiment
    .filter((name) => !experiments.includes(name))
    .map((name) => `--enable-experiment=${name} has no effect: unknown experiment`)

/** Returns the options that are set, and warnings about unknown, deprecated or ineffective ones. */
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
