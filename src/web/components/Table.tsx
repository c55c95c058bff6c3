import type { ReactNode } from "react"

/** A column of a table. */
export interface Column<A> {
  readonly name: string
  readonly cell: (row: A) => ReactNode
  /** Aligns cells to the right. */
  readonly numeric?: boolean
  /** Gives the cell a line of its own in a card. */
  readonly wide?: boolean
  /** The cell in the row of totals. */
  readonly total?: ReactNode
  /** The tooltip of the heading. */
  readonly title?: string
}

/**
 * A table whose first column names the row. Wide tables scroll. On a phone each row is a card of names and figures; the
 * explicit roles keep it a table for screen readers.
 */
export const Table = <A extends object>({ caption, columns, empty, rows }: {
  readonly caption: string
  readonly columns: ReadonlyArray<Column<A> | undefined>
  readonly rows: ReadonlyArray<readonly [key: string, row: A, className?: string | undefined]>
  /** Shown if there are no rows. Default: "None". */
  readonly empty?: ReactNode
}) => {
  const shown = columns.filter((column) => column !== undefined)
  const hasTotal = rows.length > 1 && shown.some(({ total }) => total !== undefined)
  const cellClass = (column: Column<A>) =>
    column.numeric === true ? "numeric" : column.wide === true ? "wide" : undefined
  return (
    <div className="table" role="region" aria-label={caption} tabIndex={0}>
      <table className="cards" role="table">
        <caption>{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {shown.map((column) => (
              <th key={column.name} scope="col" role="columnheader" className={cellClass(column)} title={column.title}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map(([key, row, className]) => (
            <tr key={key} role="row" className={className}>
              {shown.map((column, i) =>
                i === 0
                  ? <th key={column.name} scope="row" role="rowheader">{column.cell(row)}</th>
                  : (
                    <td key={column.name} role="cell" data-name={column.name} className={cellClass(column)}>
                      {column.cell(row)}
                    </td>
                  )
              )}
            </tr>
          ))}
          {rows.length === 0 && (
            <tr role="row">
              <td colSpan={shown.length} role="cell" className="empty">{empty ?? "None"}</td>
            </tr>
          )}
        </tbody>
        {hasTotal && (
          <tfoot role="rowgroup">
            <tr role="row">
              {shown.map((column, i) =>
                i === 0
                  ? <th key={column.name} scope="row" role="rowheader">{column.total ?? "Total"}</th>
                  : (
                    <td key={column.name} role="cell" data-name={column.name} className={cellClass(column)}>
                      {column.total}
                    </td>
                  )
              )}
            </tr>
          </tfoot>
        )}
      </table>
    </div>
  )
}
