/**
 * What an nsqd is told by flags, environment and config file, put together: a flag wins over the environment, that over the
 * file, the file over the default. Lists are replaced, never joined. Whether the values make sense is for NsqdOptionsCheck.
 */
import * as Effect from "effect/Effect"
import * as ConfigFile from "./ConfigFile.ts"
import * as Environment from "./Environment.ts"
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

const noSettings: ConfigFile.Settings<NsqdOptions.NsqdOptions> = { given: {}, warnings: [] }

/** The options that are set anywhere, and what to warn of. */
export const settle = Effect.fnUntraced(function*(
  command: NsqdCommand,
  environment: Environment.Environment
): Effect.fn.Return<ConfigFile.Settings<NsqdOptions.NsqdOptions>, NsqdStartError> {
  const variables = yield* Effect.fromResult(Environment.read(NsqdOptions.table, "nsqd", environment)).pipe(
    Effect.mapError(({ message }) => new NsqdStartError({ stage: "read the environment", detail: message }))
  )
  const path = command.config ?? environment[Environment.variable("nsqd", "config")] ?? ""
  const file = path === "" ? noSettings : yield* Effect.mapError(
    ConfigFile.load(NsqdOptions.table, path, unusedKeys),
    ({ message }) => new NsqdStartError({ stage: `load config file ${path}`, detail: message })
  )
  const given = { ...file.given, ...variables, ...command.given }
  return { given, warnings: [...command.warnings, ...file.warnings, ...meaningless(given)] }
})
