/**
 * The server that a line of the client's log is about. A logger reads it from the fiber, to show a server's state once in place of
 * every attempt. The text of the line does not contain it.
 */
import { Context } from "effect"

/** A server, and whether the line says that it is lost or cannot be reached. */
export interface ServerReport {
  /** `host:port` of an nsqd, or the address of an nsqlookupd. */
  readonly address: string
  readonly isAway: boolean
}

/** The report of the current line; `undefined` for a line about something else. */
export const ServerReport: Context.Reference<ServerReport | undefined> = Context.Reference(
  "effect-nsq/client/ServerReport",
  { defaultValue: (): ServerReport | undefined => undefined }
)
