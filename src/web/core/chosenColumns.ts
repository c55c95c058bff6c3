/** The columns of each table that the user has shown or hidden, which the browser stores. */

/** Whether each column that the user has chosen is shown, by its label. */
export type Choice = Readonly<Record<string, boolean>>

const keyOf = (table: string): string => `nsqadmin-columns-${table}`

const isChoice = (value: unknown): value is Choice =>
  typeof value === "object" && value !== null && Object.values(value).every((shown) => typeof shown === "boolean")

/** Returns the stored choice of a table; empty if nothing is stored. */
export const stored = (table: string): Choice => {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(keyOf(table)) ?? "{}")
    return isChoice(value) ? value : {}
  } catch {
    return {}
  }
}

/** Returns the choice after a change of a column, and stores it. */
export const choose = (table: string, choice: Choice, column: string, isShown: boolean): Choice => {
  const next = { ...choice, [column]: isShown }
  localStorage.setItem(keyOf(table), JSON.stringify(next))
  return next
}

/** Whether a column is shown. */
export const isShown = (choice: Choice, column: string, byDefault: boolean): boolean => choice[column] ?? byDefault
