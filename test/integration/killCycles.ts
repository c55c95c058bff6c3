/**
 * Kills nsqd under load, repeatedly, and reports lost, redelivered and otherwise wrong messages. Prints its seed first and a summary
 * in JSON last; exits with 1 if a message was lost or another check failed.
 *
 * usage: npm run crash -- [--cycles N] [--seed N] [--durability memory|written|synced] [--program FILE]
 *          [--variant NAME,NAME|all] [--data-parent DIRECTORY] [--backlog N] [--policies [--harsh]]
 *
 * `written`, the default, and `synced` start the daemon with this --durability and expect everything that durable topics promise.
 * `memory` starts it with --mem-queue-size=0 and the disk queue's flags of each variant, and does not expect messages with a delay to
 * survive.
 *
 * `--policies` switches a limit of attempts and a window of keys on: publishers repeat what has no reply with the same key, consumers
 * give messages up, and at the end the dead letters are redriven. Only for `written` and `synced`. With `--harsh` segments are small,
 * messages expire and exceed limits, channels are rewound, and policies change.
 *
 * The default program is `dist/bin/nsqd`: run `npm run build` first. `--program` accepts any other program, such as
 * NSQ's nsqd.
 */
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { runCycles } from "./ledger/cycles.ts"
import { durabilities, type Kind, variantNames } from "./ledger/kinds.ts"
import { policyFaults, runPolicyCycles } from "./ledger/policyCycles.ts"
import { faults } from "./ledger/Summary.ts"

const ours = [process.execPath, Path.resolve(import.meta.dirname, "../../dist/bin/nsqd")]

const { values } = parseArgs({
  options: {
    "cycles": { type: "string", default: "300" },
    "seed": { type: "string" },
    "durability": { type: "string", default: "written" },
    "variant": { type: "string", default: "sync-1" },
    "program": { type: "string" },
    "data-parent": { type: "string" },
    "backlog": { type: "string", default: "200000" },
    "policies": { type: "boolean", default: false },
    "harsh": { type: "boolean", default: false }
  }
})

/** The member of a list with this name. */
const oneOf = <A extends string>(option: string, known: ReadonlyArray<A>, name: string): A => {
  const found = known.find((member) => member === name)
  if (found === undefined) throw new Error(`--${option}: unknown "${name}"; known: ${known.join(", ")}`)
  return found
}

const kindsOf = (): ReadonlyArray<Kind> => {
  const durability = oneOf("durability", durabilities, values.durability)
  if (durability !== "memory") return [{ durability }]
  const chosen = values.variant === "all"
    ? variantNames
    : values.variant.split(",").map((name) => oneOf("variant", variantNames, name))
  return chosen.map((variant) => ({ durability, variant }))
}

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
console.error(`seed ${seed}`)
const command = values.program === undefined ? ours : [values.program]
const cycles = Number(values.cycles)
const parent = values["data-parent"] === undefined ? {} : { parent: values["data-parent"] }
for (const kind of kindsOf()) {
  const name = kind.variant ?? kind.durability
  const progress = (line: string): void => console.error(`${name}: ${line}`)
  const report = (summary: object, found: ReadonlyArray<string>): void => {
    console.log(JSON.stringify(summary, undefined, 2))
    for (const fault of found) {
      console.error(`${name}: ${fault}`)
      process.exitCode = 1
    }
  }
  if (values.policies) {
    const { durability } = kind
    if (durability === "memory") throw new Error("--policies: the topics have to be durable")
    const summary = await runPolicyCycles({
      command,
      cycles,
      seed,
      durability,
      isHarsh: values.harsh,
      progress,
      ...parent
    })
    report(summary, policyFaults(summary))
  } else {
    const backlog = Number(values.backlog)
    const summary = await runCycles({ command, cycles, seed, kind, backlog, progress, ...parent })
    report(summary, faults(summary, { duplicatesPercent: 1 }))
  }
}
