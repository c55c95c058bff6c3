/**
 * The command line of nsqd: the flags of the options table and the few that are no options. Pure: it says what was
 * asked for and leaves it to the program to do it.
 */
import type { Result } from "effect"
import * as DaemonCommand from "../../options/DaemonCommand.ts"
import * as GoFlags from "../../options/GoFlags.ts"
import * as NsqdOptions from "./NsqdOptions.ts"

/** What a command line asks for. */
export type NsqdCommand = DaemonCommand.DaemonCommand<NsqdOptions.NsqdOptions>

const former = [{ name: "verbose", use: "log-level" }, { name: "worker-id", use: "node-id" }]

/** The usage text. */
export const usage = (): string => GoFlags.usage("nsqd", DaemonCommand.flags(NsqdOptions.table, former))

/** Reads the arguments that follow the program's name. */
export const parse = (args: ReadonlyArray<string>): Result.Result<NsqdCommand, GoFlags.FlagError> =>
  DaemonCommand.parse(NsqdOptions.table, former, args)
