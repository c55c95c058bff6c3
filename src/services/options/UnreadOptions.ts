/** Refuses options that are set and that no piece of a daemon reads. */
import { Effect } from "effect"
import { type OptionsError, refusedValue } from "./OptionsError.ts"
import * as OptionTable from "./OptionTable.ts"

/** The options of a daemon, and which of them its pieces read. */
export interface Check<Options extends object> {
  readonly program: string
  readonly table: OptionTable.OptionTable<Options>
  readonly defaults: Options
  readonly options: Options
  readonly isRead: (name: keyof Options) => boolean
}

/** Fails for the first option that differs from its default and is not read. */
export const check = <Options extends object>(
  { defaults, isRead, options, program, table }: Check<Options>
): Effect.Effect<void, OptionsError> => {
  const unread = OptionTable.changedFields(table, options, defaults).find((name) => !isRead(name))
  if (unread === undefined) return Effect.void
  return Effect.fail(refusedValue(
    `${String(unread)} (--${
      table[unread].flag
    }) has no effect: no part of this ${program} reads it; remove it, or add the part`
  ))
}
