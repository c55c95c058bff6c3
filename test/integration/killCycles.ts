/**
 * Kills nsqd under load, repeatedly, and reports lost and redelivered messages. Prints its seed first and a summary in
 * JSON last; exits with 1 if a message was lost or another check failed.
 *
 * usage: node test/integration/killCycles.ts [--cycles N] [--seed N] [--variant NAME,NAME|all] [--program FILE]
 *          [--data-parent DIRECTORY] [--backlog N]
 *
 * The default program is `dist/bin/nsqd`: run `npm run build` first. `--program` accepts any other program, such as
 * NSQ's nsqd.
 */
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { isVariant, runCycles, type Summary, variants } from "./ledger/cycles.ts"

const ours = [process.execPath, Path.resolve(import.meta.dirname, "../../dist/bin/nsqd")]

const { values } = parseArgs({
  options: {
    "cycles": { type: "string", default: "300" },
    "seed": { type: "string" },
    "variant": { type: "string", default: "sync-1" },
    "program": { type: "string" },
    "data-parent": { type: "string" },
    "backlog": { type: "string", default: "200000" }
  }
})

/** Lists the failed checks of a run. */
const faults = (summary: Summary): ReadonlyArray<string> => [
  ...summary.lost > 0 ? [`${summary.lost} acknowledged messages lost`] : [],
  ...summary.wrongBodies > 0 ? [`${summary.wrongBodies} wrong bodies`] : [],
  ...summary.changedIds > 0 ? [`${summary.changedIds} changed ids`] : [],
  ...summary.duplicatesWithoutRestart > 0 ? [`${summary.duplicatesWithoutRestart} duplicates without a restart`] : [],
  ...summary.duplicatesPercent >= 1 ? [`${summary.duplicatesPercent} % of deliveries were duplicates`] : [],
  ...summary.refused.length > 0 ? [`publishes refused: ${summary.refused.join("; ")}`] : [],
  ...summary.deliveriesAfterCleanStop > 0 ? [`${summary.deliveriesAfterCleanStop} deliveries after a clean stop`] : [],
  ...summary.exitCode !== 0 ? [`exit code ${summary.exitCode}`] : [],
  ...summary.temporaryFilesLeft > 0 ? [`${summary.temporaryFilesLeft} temporary files left`] : [],
  ...summary.starts !== undefined && summary.starts.ratio > 2
    ? [`a start after a kill takes ${summary.starts.ratio} times as long as after SIGTERM`]
    : []
]

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const names = values.variant === "all" ? Object.keys(variants) : values.variant.split(",")
console.error(`seed ${seed}`)
for (const variant of names) {
  if (!isVariant(variant)) throw new Error(`unknown variant "${variant}"; known: ${Object.keys(variants).join(", ")}`)
  const summary = await runCycles({
    command: values.program === undefined ? ours : [values.program],
    cycles: Number(values.cycles),
    seed,
    variant,
    backlog: Number(values.backlog),
    progress: (line) => console.error(`${variant}: ${line}`),
    ...values["data-parent"] === undefined ? {} : { parent: values["data-parent"] }
  })
  console.log(JSON.stringify(summary, undefined, 2))
  for (const fault of faults(summary)) {
    console.error(`${variant}: ${fault}`)
    process.exitCode = 1
  }
}
