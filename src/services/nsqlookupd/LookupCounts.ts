/** What nsqlookupd has received and refused since its start, for its metrics. */
import { RequestCounts } from "../http/MetricCollection.ts"

/** The names of commands. */
export type CommandName = "IDENTIFY" | "PING" | "REGISTER" | "UNREGISTER"

/** Counters. */
export class LookupCounts {
  readonly requests = new RequestCounts()
  readonly commands = new Map<CommandName, number>([["IDENTIFY", 0], ["PING", 0], ["REGISTER", 0], ["UNREGISTER", 0]])
  /** Connections that nsqlookupd closed because of an invalid command. */
  errors = 0
  /** REGISTER commands beyond a limit. */
  refused = 0
  /** Open TCP connections. */
  connections = 0

  /** Counts a command of an nsqd. */
  command(name: CommandName): void {
    this.commands.set(name, (this.commands.get(name) ?? 0) + 1)
  }
}
