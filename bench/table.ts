/**
 * The result of the benchmark: a Markdown table with one line per figure, the machine and the date.
 */
import * as Os from "node:os"
import type { Measure, Row } from "./row.ts"
import { median } from "./rows.ts"

/** The result of one daemon in a row: the figures of each run, or the error of a run. */
export interface Outcome {
  readonly runs: ReadonlyArray<ReadonlyArray<number>>
  readonly error?: string
}

/** The results of a row. */
export interface RowResult {
  readonly row: Row
  readonly subject: Outcome
  readonly against?: Outcome
}

/** One figure over all rounds. */
export interface Line extends Measure {
  readonly row: string
  readonly subject: Cell
  readonly against?: Cell
  /** Ratio of subject to reference, of the medians and of each round's pair; omitted if a run failed. */
  readonly ratio?: { readonly medians: number; readonly pairs: ReadonlyArray<number> }
}

type Cell = { readonly values: ReadonlyArray<number>; readonly median: number } | { readonly error: string }

const cell = (outcome: Outcome, index: number): Cell => {
  if (outcome.error !== undefined) return { error: outcome.error }
  const values = outcome.runs.map((run) => run[index] ?? NaN)
  return { values, median: median(values) }
}

const ratio = (subject: Cell, against: Cell): Line["ratio"] => {
  if ("error" in subject || "error" in against) return undefined
  const pairs = subject.values.map((value, round) => value / (against.values[round] ?? NaN))
  return { medians: subject.median / against.median, pairs }
}

const linesOf = ({ against, row, subject }: RowResult): ReadonlyArray<Line> =>
  row.measures.map((measure, index) => {
    const own = cell(subject, index)
    if (against === undefined) return { row: row.name, ...measure, subject: own }
    const other = cell(against, index)
    const both = ratio(own, other)
    const line = { row: row.name, ...measure, subject: own, against: other }
    return both === undefined ? line : { ...line, ratio: both }
  })

export const lines = (results: ReadonlyArray<RowResult>): ReadonlyArray<Line> => results.flatMap(linesOf)

const number = (value: number, unit: Measure["unit"]): string => {
  const digits = unit === "ms" ? (value < 10 ? 3 : 1) : unit === "x" ? 2 : 0
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const cellText = (cell: Cell, unit: Measure["unit"]): string => {
  if ("error" in cell) return `failed: ${cell.error.replaceAll("|", "\\|").replaceAll("\n", " ")}`
  const text = `${number(cell.median, unit)} ${unit}`
  if (cell.values.length < 2) return text
  return `${text} (${number(Math.min(...cell.values), unit)} to ${number(Math.max(...cell.values), unit)})`
}

const factor = (value: number): string => value.toFixed(value < 0.1 ? 3 : 2)

const ratioText = ({ ratio }: Line): string => {
  if (ratio === undefined) return ""
  const text = `${factor(ratio.medians)} x`
  if (ratio.pairs.length < 2) return text
  return `${text} (${factor(Math.min(...ratio.pairs))} to ${factor(Math.max(...ratio.pairs))})`
}

const markdown = (header: ReadonlyArray<string>, body: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = header.map((title, i) => Math.max(title.length, ...body.map((cells) => cells[i]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((text, i) => text.padEnd(widths[i] ?? 0)).join(" | ")} |`
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n")
}

/** The conditions of a benchmark. */
export interface Setting {
  readonly date: string
  readonly machine: string
  readonly node: string
  readonly subject: string
  readonly against?: string
  readonly seconds: number
  readonly rounds: number
}

export const machine = (): string => {
  const cpus = Os.cpus()
  const memory = `${Math.round(Os.totalmem() / 1024 ** 3)} GiB`
  return `${cpus.length} x ${cpus[0]?.model.trim() ?? "unknown"}, ${memory}, ${Os.type()} ${Os.release()}`
}

export const render = (setting: Setting, all: ReadonlyArray<Line>): string => {
  const compared = setting.against !== undefined
  const about = [
    `${setting.date}; ${setting.machine}; Node ${setting.node}.`,
    `Median of ${setting.rounds} runs of ${setting.seconds} s (minimum to maximum).`,
    compared
      ? `Measured: \`${setting.subject}\`, against \`${setting.against}\` alternately; ratio is measured / against.`
      : `Measured: \`${setting.subject}\`.`
  ]
  const header = ["row", "figure", "measured", ...compared ? ["against", "ratio"] : []]
  const body = all.map((line) => [
    line.row,
    line.better === "lower" ? `${line.name} (lower is better)` : line.name,
    cellText(line.subject, line.unit),
    ...line.against === undefined ? [] : [cellText(line.against, line.unit), ratioText(line)]
  ])
  return `${about.join(" ")}\n\n${markdown(header, body)}\n`
}
