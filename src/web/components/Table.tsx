import type { ReactNode } from "react"

/** A column of figures or texts. */
export interface Column<A> {
  readonly name: string
  readonly cell: (row: A) => ReactNode
  /** Right-aligned. */
  readonly numeric?: boolean
  /** The cell of the row of totals. */
  readonly total?: ReactNode
  /** Explains the heading. */
  readonly title?: string
}

/** A table of known size, whose first column names the row. Wide ones scroll. */
export const Table = <A extends object>({ caption, columns, empty, rows }: {
  readonly caption: string
  readonly columns: ReadonlyArray<Column<A> | undefined>
  readonly rows: ReadonlyArray<readonly [key: string, row: A, className?: string | undefined]>
  /** Instead of no rows. */
  readonly empty?: ReactNode
}) => {
  const shown = columns.filter((column) => column !== undefined)
  const hasTotal = rows.length > 1 && shown.some(({ total }) => total !== undefined)
  const cellClass = (column: Column<A>) => column.numeric === true ? "numeric" : undefined
  return (
    <div className="table" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {shown.map((column) => (
              <th key={column.name} scope="col" className={cellClass(column)} title={column.title}>{column.name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([key, row, className]) => (
            <tr key={key} className={className}>
              {shown.map((column, i) =>
                i === 0
                  ? <th key={column.name} scope="row">{column.cell(row)}</th>
                  : <td key={column.name} className={cellClass(column)}>{column.cell(row)}</td>
              )}
            </tr>
          ))}
          {rows.length === 0 && (
            <tr>
              <td colSpan={shown.length} className="empty">{empty ?? "None"}</td>
            </tr>
          )}
        </tbody>
        {hasTotal && (
          <tfoot>
            <tr>
              {shown.map((column, i) =>
                i === 0
                  ? <th key={column.name} scope="row">{column.total ?? "Total"}</th>
                  : <td key={column.name} className={cellClass(column)}>{column.total}</td>
              )}
            </tr>
          </tfoot>
        )}
      </table>
    </div>
  )
}
