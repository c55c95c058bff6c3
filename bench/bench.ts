/**
 * `npm run bench`: measures the built daemon row by row and prints a table. With `--against` every row runs alternately on both
 * daemons, so that other load of the machine affects both alike. README.md lists the rows.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import type { Row } from "./row.ts"
import { rows } from "./rows.ts"
import * as Table from "./table.ts"

const usage = `usage: node bench/bench.ts [options]

  --bin "cmd"       the daemon to measure (default: dist/bin/nsqd)
  --against "cmd"   another daemon to compare with, run alternately
  --only a,b        only these rows: ${
  rows.map(({ name }) => name).join(", ")
}, or durable, latency, memory, policies, stalls, upgrades
  --seconds N       length of a measured run (default 3)
  --rounds N        runs of each row (default 3)
  --json FILE       also write every figure to FILE
`

const exit = (message: string): never => {
  process.stderr.write(message)
  process.exit(2)
}

const options = () => {
  try {
    return parseArgs({
      options: {
        bin: { type: "string", default: Path.join(import.meta.dirname, "..", "dist", "bin", "nsqd") },
        against: { type: "string" },
        only: { type: "string" },
        seconds: { type: "string", default: "3" },
        rounds: { type: "string", default: "3" },
        json: { type: "string" },
        help: { type: "boolean", default: false }
      }
    }).values
  } catch (cause) {
    return exit(`${cause instanceof Error ? cause.message : String(cause)}\n\n${usage}`)
  }
}

const positive = (name: string, text: string): number => {
  const value = Number(text)
  return value > 0 && value <= 600 ? value : exit(`--${name} must be a number above 0 and at most 600\n`)
}

const chosen = (only: string | undefined): ReadonlyArray<Row> => {
  if (only === undefined) return rows
  const words = only.split(",").map((word) => word.trim())
  const unknown = words.find((word) => !rows.some(({ group, name }) => name === word || group === word))
  if (unknown !== undefined) exit(`unknown row "${unknown}"\n\n${usage}`)
  return rows.filter(({ group, name }) => words.includes(name) || (group !== undefined && words.includes(group)))
}

const command = (text: string): ReadonlyArray<string> => text.split(/\s+/).filter((word) => word !== "")

const { against, bin, help, json, only, rounds: roundsText, seconds: secondsText } = options()
if (help) {
  process.stdout.write(usage)
  process.exit(0)
}
const seconds = positive("seconds", secondsText)
const rounds = Math.ceil(positive("rounds", roundsText))

/** Runs a row once. After its first error a daemon no longer takes part in the row. */
const once = async (row: Row, daemon: string, outcome: Table.Outcome): Promise<Table.Outcome> => {
  if (outcome.error !== undefined) return outcome
  try {
    const figures = await row.run(command(daemon), seconds)
    process.stderr.write(`${row.name}: ${figures.map((figure) => figure.toPrecision(5)).join(", ")}  (${daemon})\n`)
    return { runs: [...outcome.runs, figures] }
  } catch (cause) {
    const error = cause instanceof Error ? cause.message : String(cause)
    process.stderr.write(`${row.name}: ${error}  (${daemon})\n`)
    return { ...outcome, error }
  }
}

/** Rounds are the outer loop and rows the inner one, so that compared rows run at about the same time. */
const measure = async (rows: ReadonlyArray<Row>): Promise<ReadonlyArray<Table.RowResult>> => {
  const results = rows.map((row): { row: Row; subject: Table.Outcome; other: Table.Outcome } => ({
    row,
    subject: { runs: [] },
    other: { runs: [] }
  }))
  for (let round = 0; round < rounds; round++) {
    for (const result of results) {
      result.subject = await once(result.row, bin, result.subject)
      if (against !== undefined) result.other = await once(result.row, against, result.other)
    }
  }
  return results.map(({ other, row, subject }) =>
    against === undefined ? { row, subject } : { row, subject, against: other }
  )
}

const results = await measure(chosen(only))
const lines = Table.lines(results)
const setting: Table.Setting = {
  date: new Date().toISOString().slice(0, 10),
  machine: Table.machine(),
  node: process.versions.node,
  subject: bin.replace(`${process.cwd()}/`, ""),
  ...against === undefined ? {} : { against },
  seconds,
  rounds
}
process.stdout.write(`\n${Table.render(setting, lines)}`)
if (json !== undefined) Fs.writeFileSync(json, `${JSON.stringify({ ...setting, lines }, null, 2)}\n`)
process.exit(lines.some(({ against, subject }) => "error" in subject || (against && "error" in against)) ? 1 : 0)
