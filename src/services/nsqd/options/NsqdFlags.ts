/**
 * nsqd's command line: the flags of the options table, and those that are not options (`--version`, `--config`).
 * Pure: the program carries out the parsed command.
 */
import type { Result } from "effect"
import * as DaemonCommand from "../../options/DaemonCommand.ts"
import * as GoFlags from "../../options/GoFlags.ts"
import * as NsqdOptions from "./NsqdOptions.ts"

/** A parsed command line. */
export type NsqdCommand = DaemonCommand.DaemonCommand<NsqdOptions.NsqdOptions>

const former = [{ name: "verbose", use: "log-level" }, { name: "worker-id", use: "node-id" }]

/** Returns the usage text. */
export const usage = (): string => GoFlags.usage("nsqd", DaemonCommand.flags(NsqdOptions.table, former))

/** Parses the arguments after the program name. */
export const parse = (args: ReadonlyArray<string>): Result.Result<NsqdCommand, GoFlags.FlagError> =>
  DaemonCommand.parse(NsqdOptions.table, former, args)
