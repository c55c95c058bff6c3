import { type ReactNode, useState } from "react"
import * as Chosen from "../core/chosenColumns.ts"
import * as Format from "../core/format.ts"

/** A column of a table. */
export interface Column<A> {
  readonly name: string
  readonly cell: (row: A) => ReactNode
  /** The name in a card, which has no groups. Default: the name. */
  readonly cardName?: string
  /** The heading above this column and its neighbours of the same group. */
  readonly group?: string
  /** Aligns cells to the right. */
  readonly numeric?: boolean
  /** Gives the cell a line of its own in a card. */
  readonly wide?: boolean
  /** The cell in the row of totals. */
  readonly total?: ReactNode
  /** The tooltip of the heading, and the explanation in the column chooser. */
  readonly title?: string
  /** Shown only if the user chooses it. Default: shown unless the user removes it. */
  readonly isOptional?: boolean
}

interface Group {
  readonly name: string
  readonly span: number
}

/** Neighbouring columns of the same group. */
const groupsOf = (columns: ReadonlyArray<{ readonly group?: string }>): ReadonlyArray<Group> => {
  const groups: Array<Group> = []
  for (const { group: name = "" } of columns) {
    const last = groups.at(-1)
    if (last?.name === name) groups[groups.length - 1] = { name, span: last.span + 1 }
    else groups.push({ name, span: 1 })
  }
  return groups
}

const labelOf = <A extends object>({ group = "", name }: Column<A>): string => group === "" ? name : `${group}: ${name}`

/** A menu of the columns of a table. The first column always remains. */
const Chooser = <A extends object>({ choice, columns, kind, onChange, table }: {
  readonly table: string
  readonly kind: string
  readonly columns: ReadonlyArray<Column<A>>
  readonly choice: Chosen.Choice
  readonly onChange: (choice: Chosen.Choice) => void
}) => (
  <details className="chooser">
    <summary aria-label={`Columns of ${table}`}>Columns</summary>
    <fieldset>
      <legend className="hidden">Columns of {table}</legend>
      {columns.slice(1).map((column) => (
        <label key={labelOf(column)} title={column.title}>
          <input
            type="checkbox"
            checked={Chosen.isShown(choice, labelOf(column), column.isOptional !== true)}
            onChange={({ target }) => onChange(Chosen.choose(kind, choice, labelOf(column), target.checked))}
          />{" "}
          {labelOf(column)}
        </label>
      ))}
    </fieldset>
  </details>
)

/** The number of rows rendered at first, and with each click on the button below them: a browser takes long for thousands. */
const manyRows = 100

/** Returns the first rows of a long list, and a button that shows more of them. `what` names the rows, such as `topics`. */
export const useFirstRows = <A extends object>(
  all: ReadonlyArray<A>,
  what: string
): { readonly shown: ReadonlyArray<A>; readonly more: ReactNode } => {
  const [limit, setLimit] = useState(manyRows)
  const shown = all.slice(0, limit)
  const left = all.length - shown.length
  const more = left > 0 && (
    <p className="more-rows">
      <span>{Format.count(shown.length)} of {Format.count(all.length)} {what}</span>
      <button type="button" onClick={() => setLimit(limit + manyRows)}>
        Show {Format.count(Math.min(manyRows, left))} more
      </button>
    </p>
  )
  return { shown, more }
}

/**
 * A table whose first column names the row. Columns are grouped, and the user chooses which are shown; the browser stores the choice by
 * the kind of the table; a table without rows has no visible headings. The first 100 rows are rendered, and more on demand. Below 800
 * pixels each row is a card of names and figures; the explicit roles keep it a table for screen readers.
 */
export const Table = <A extends object>({ caption, columns, empty, kind = caption, rows, totalClass }: {
  readonly caption: string
  /** Tables of a kind share the choice of columns. Default: the caption. */
  readonly kind?: string
  readonly columns: ReadonlyArray<Column<A> | undefined>
  readonly rows: ReadonlyArray<readonly [key: string, row: A, className?: string | undefined]>
  /** The class of the row of totals, such as `away`. Default: no class. */
  readonly totalClass?: string | undefined
  /** Shown if there are no rows. Default: "None". */
  readonly empty?: ReactNode
}) => {
  const [choice, setChoice] = useState(() => Chosen.stored(kind))
  const firstRows = useFirstRows(rows, "rows")
  const known = columns.filter((column) => column !== undefined)
  const shown = known.filter((column, i) =>
    i === 0 || Chosen.isShown(choice, labelOf(column), column.isOptional !== true)
  )
  const groups = groupsOf(shown)
  const isGrouped = groups.some(({ name }) => name !== "")
  const hasTotal = rows.length > 1 && shown.some(({ total }) => total !== undefined)
  const startsGroup = (i: number): boolean => i > 0 && (shown[i]?.group ?? "") !== (shown[i - 1]?.group ?? "")
  const cellClass = (column: Column<A>, i: number) =>
    [column.numeric === true ? "numeric" : column.wide === true ? "wide" : "", startsGroup(i) ? "starts" : ""]
      .filter((name) => name !== "").join(" ") || undefined
  const cells = (render: (column: Column<A>) => ReactNode) =>
    shown.map((column, i) =>
      i === 0
        ? <th key={labelOf(column)} scope="row" role="rowheader">{render(column)}</th>
        : (
          <td
            key={labelOf(column)}
            role="cell"
            data-name={column.cardName ?? column.name}
            className={cellClass(column, i)}
          >
            {render(column)}
          </td>
        )
    )
  return (
    <section className="panel">
      <div className="bar">
        <h2>{caption}</h2>
        {known.length > 4 && rows.length > 0 && (
          <Chooser table={caption} kind={kind} columns={known} choice={choice} onChange={setChoice} />
        )}
      </div>
      <div className="table" role="region" aria-label={caption} tabIndex={0}>
        <table className="cards" role="table" aria-label={caption}>
          <thead role="rowgroup" className={rows.length === 0 ? "hidden" : undefined}>
            {isGrouped && (
              <tr className="groups" role="presentation" aria-hidden="true">
                {groups.map(({ name, span }, i) => (
                  <td key={i} colSpan={span} className={i > 0 ? "starts" : undefined}>{name}</td>
                ))}
              </tr>
            )}
            <tr role="row">
              {shown.map((column, i) => (
                <th
                  key={labelOf(column)}
                  scope="col"
                  role="columnheader"
                  className={cellClass(column, i)}
                  title={column.title}
                >
                  {column.group !== undefined && <span className="hidden">{column.group}:</span>}
                  {column.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {firstRows.shown.map(([key, row, className]) => (
              <tr key={key} role="row" className={className}>{cells((column) => column.cell(row))}</tr>
            ))}
            {rows.length === 0 && (
              <tr role="row">
                <td colSpan={shown.length} role="cell" className="empty">{empty ?? "None"}</td>
              </tr>
            )}
          </tbody>
          {hasTotal && (
            <tfoot role="rowgroup">
              <tr role="row" className={totalClass}>
                {cells((column) => column === shown[0] ? column.total ?? "Total" : column.total)}
              </tr>
            </tfoot>
          )}
        </table>
      </div>
      {firstRows.more}
    </section>
  )
}
