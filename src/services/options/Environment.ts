/**
 * Options from environment variables, which NSQ does not support: `NSQD_MEM_QUEUE_SIZE` for `--mem-queue-size`. Other variables
 * are ignored even if they have the same prefix, because orchestrators define some for every service (`NSQD_PORT_4150_TCP`).
 */
import { Result, Struct } from "effect"
import { type InvalidText, invalidText } from "./OptionKind.ts"
import * as OptionTable from "./OptionTable.ts"

/** The environment variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Returns the name of the variable for a flag of a program. */
export const variable = (program: string, flag: string): string =>
  `${program}_${flag}`.replaceAll("-", "_").toUpperCase()

/**
 * Reads the options that are set in the environment. An empty variable counts as set: to the empty string or the empty list. The
 * failure names the variable and states what is expected.
 */
export const read = <Options extends object>(
  table: OptionTable.OptionTable<Options>,
  program: string,
  environment: Environment
): Result.Result<Partial<Options>, InvalidText> => {
  const given: Partial<Options> = {}
  for (const field of Struct.keys(table)) {
    const name = variable(program, table[field].flag)
    const value = environment[name]
    if (value === undefined) continue
    const change = OptionTable.decode(table, { field, value })
    if (Result.isFailure(change)) return Result.fail(invalidText(`${name}: ${change.failure.reason}`))
    Object.assign(given, change.success)
  }
  return Result.succeed(given)
}
