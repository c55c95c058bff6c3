/**
 * A command of the client protocol: the states that permit it, its text in the debug log, and its execution. Each
 * command has a file in `commands/`.
 */
import type { Scope } from "effect"
import type { ProtocolError } from "../../../../protocol/client/ProtocolError.ts"
import type { Completion } from "../../../core/Completion.ts"
import type { StateName } from "./ConnectionState.ts"
import type { Session } from "./Session.ts"

/**
 * The rest of a command's execution; fails with the error for the client. The connection reads nothing until it is
 * done. Publishes that wait to be stored are not pending: see `Publishes`.
 */
export type Pending = Completion<ProtocolError, Scope.Scope>

/** The handler of one command. */
export interface CommandHandler<in Command> {
  /** In other states the client gets `E_INVALID`, before the command's body is read. */
  readonly permittedIn: ReadonlyArray<StateName>
  /** A further reason to refuse the command before its body is read. */
  readonly refusal?: (session: Session) => ProtocolError | undefined
  /** The command in the debug log: its name and parameters, never a body. */
  readonly describe: (command: Command) => string
  readonly execute: (session: Session, command: Command) => Pending
}
