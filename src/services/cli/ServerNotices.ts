/**
 * What `nsq sub` and `nsq tail` write about their servers to standard error: a line when one becomes unreachable and a line when it is
 * back, whatever happens to other servers meanwhile.
 */
import { Console, Effect, Formatter, Logger, Stream } from "effect"
import { ServerReport } from "../client/Connections.ts"
import type { ConnectionState } from "../client/index.ts"
import { masked } from "../core/Masked.ts"

/** Limit for the different reasons of one server that are written until it is back. */
const maxReasons = 10

export interface ServerNotices {
  /** Writes the warnings of a consumer: those about a server once for each reason, others but not the same line again. */
  readonly logger: Logger.Logger<unknown, void>
  /** Writes which nsqds are connected after they were away. */
  readonly watch: (states: Stream.Stream<ConnectionState>) => Effect.Effect<void>
}

/** Returns the notices of one command. */
export const make: Effect.Effect<ServerNotices> = Effect.map(Console.Console, (console) => {
  /** The reasons that are written, by the address of a server that is away. */
  const away = new Map<string, Set<string>>()
  let last = ""

  const write = (line: string) => {
    last = line
    console.error(`nsq: ${line}`)
  }
  const isBack = (address: string, line: string) => {
    if (away.delete(address)) write(line)
  }
  const isAway = (address: string, line: string) => {
    const reasons = away.get(address) ?? new Set()
    if (reasons.has(line) || reasons.size === maxReasons) return
    away.set(address, reasons.add(line))
    write(line)
  }

  return {
    logger: Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
      const report = fiber.getRef(ServerReport)
      const parts = Array.isArray(message) ? message : [message]
      const line = masked(parts.map((part) => typeof part === "string" ? part : Formatter.format(part)).join(" "))
      if (report !== undefined) return report.isAway ? isAway(report.address, line) : isBack(report.address, line)
      if (logLevel !== "Info" && line !== last) write(line)
    }),
    watch: Stream.runForEach((state) =>
      Effect.sync(() => {
        if (state._tag === "Connected") isBack(state.address, `${state.address}: connected`)
        else if (state._tag === "Removed") away.delete(state.address)
      })
    )
  }
})
