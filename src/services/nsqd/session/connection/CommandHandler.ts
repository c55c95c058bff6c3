/**
 * What every command of the client protocol has: the states that permit it, how the debug log shows it, and its execution. Each
 * command is a file of `commands/`.
 */
import type { Scope } from "effect"
import type { ProtocolError } from "../../../../protocol/client/ProtocolError.ts"
import type { Completion } from "../../../core/Completion.ts"
import type { StateName } from "./ConnectionState.ts"
import type { Session } from "./Session.ts"

/** What is left of a command; it fails with the error that the client gets. The connection reads no further until it is done. */
export type Pending = Completion<ProtocolError, Scope.Scope>

export interface CommandHandler<in Command> {
  /** In other states the client gets `E_INVALID`, before the command's body is read. */
  readonly permittedIn: ReadonlyArray<StateName>
  /** Another reason to refuse the command before its body is read. */
  readonly refusal?: (session: Session) => ProtocolError | undefined
  /** The command in the debug log: its name and parameters, never a body. */
  readonly describe: (command: Command) => string
  readonly execute: (session: Session, command: Command) => Pending
}
