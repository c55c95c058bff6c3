/**
 * What commands print: a table for people, JSON for programs.
 */
import { Console, Effect } from "effect"
import { root } from "./root.ts"

/** A column: its heading, and the cell of a row. Numbers are aligned to the right. */
export interface Column<A> {
  readonly heading: string
  readonly cell: (row: A) => string | number
}

const grouped = new Intl.NumberFormat("en-US")

const textOf = (cell: string | number): string => typeof cell === "number" ? grouped.format(cell) : cell

/** Formats rows as a table with a heading; without rows, `empty`. */
export const table = <A>(columns: ReadonlyArray<Column<A>>, rows: ReadonlyArray<A>, empty: string): string => {
  if (rows.length === 0) return empty
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)))
  const widths = columns.map(({ heading }, i) =>
    Math.max(heading.length, ...cells.map((row) => textOf(row[i] ?? "").length))
  )
  const line = (parts: ReadonlyArray<string | number>): string =>
    parts.map((part, i) => {
      const isNumber = typeof cells[0]?.[i] === "number"
      return isNumber ? textOf(part).padStart(widths[i] ?? 0) : textOf(part).padEnd(widths[i] ?? 0)
    }).join("  ").trimEnd()
  return [line(columns.map(({ heading }) => heading)), ...cells.map(line)].join("\n")
}

/** Prints rows as a table, or with `--json` as a JSON array of the rows. */
export const printRows = Effect.fnUntraced(function*<A>(
  columns: ReadonlyArray<Column<A>>,
  rows: ReadonlyArray<A>,
  empty: string
) {
  const { json } = yield* root
  yield* Console.log(json ? JSON.stringify(rows, undefined, 2) : table(columns, rows, empty))
})

/** Prints a sentence, or with `--json` an object. */
export const printResult = Effect.fnUntraced(function*(text: string, value: object) {
  const { json } = yield* root
  yield* Console.log(json ? JSON.stringify(value) : text)
})
