/**
 * The counters of a Producer, and its metrics. The hot path adds to plain numbers; a report adds what has changed to Effect's
 * metrics, so that several producers of a program add up.
 */
import { Effect, Metric } from "effect"
import type { ClientError, ClientErrorReason } from "./ClientError.ts"
import type { PublishCommand } from "./Publishing.ts"

/** How publishing a message ended. */
type Outcome = "confirmed" | "refused" | "timed_out" | "no_server" | "unknown" | "closed" | "interrupted"

const outcomes: ReadonlyArray<Outcome> = [
  "confirmed",
  "refused",
  "timed_out",
  "no_server",
  "unknown",
  "closed",
  "interrupted"
]

const outcomeOf = ({ reason: { _tag } }: ClientError): Outcome => outcomeByReason[_tag] ?? "unknown"

const outcomeByReason: { readonly [Tag in ClientErrorReason["_tag"]]?: Outcome } = {
  PublishRefused: "refused",
  PublishTimedOut: "timed_out",
  NoServer: "no_server",
  UnknownOutcome: "unknown",
  Closed: "closed"
}

const messages = Metric.counter("nsq_producer_messages", {
  description: "Messages whose publish has ended, by outcome",
  incremental: true
})
const byOutcome = outcomes.map((outcome) => [outcome, Metric.withAttributes(messages, { outcome })] as const)
const confirmedBytes = Metric.counter("nsq_producer_bytes", {
  description: "Bytes of confirmed commands",
  incremental: true
})
const pending = Metric.counter("nsq_producer_pending", { description: "Publishes without a result" })
const connections = Metric.counter("nsq_producer_connections", { description: "Connections to nsqd" })
const disconnections = Metric.counter("nsq_producer_disconnections", {
  description: "Connections that were lost or could not be made",
  incremental: true
})

const nothing = (): { [O in Outcome]: number } => ({
  confirmed: 0,
  refused: 0,
  timed_out: 0,
  no_server: 0,
  unknown: 0,
  closed: 0,
  interrupted: 0
})

export class PublishCounts {
  /** Publishes without a result. */
  pending = 0
  /** Open connections. */
  connections = 0
  /** Connections that were lost or could not be made. */
  disconnections = 0
  private bytes = 0
  private readonly messages = nothing()
  private readonly reported = { messages: nothing(), bytes: 0, pending: 0, connections: 0, disconnections: 0 }

  /** Counts a publish that has ended. */
  note({ messages, size }: PublishCommand, failure: ClientError | undefined): void {
    if (failure === undefined) {
      this.messages.confirmed += messages
      this.bytes += size
    } else {
      this.messages[outcomeOf(failure)] += messages
    }
  }

  /** Counts a publish whose fiber was interrupted. */
  abandoned({ messages }: PublishCommand): void {
    this.messages.interrupted += messages
  }

  /** Adds what has changed since the last report to the metrics. */
  readonly report: Effect.Effect<void> = Effect.suspend(() => {
    const { reported } = this
    const updates: Array<Effect.Effect<void>> = []
    for (const [outcome, metric] of byOutcome) {
      const more = this.messages[outcome] - reported.messages[outcome]
      if (more > 0) updates.push(Metric.update(metric, more))
      reported.messages[outcome] = this.messages[outcome]
    }
    const add = (
      metric: Metric.Counter<number>,
      name: "bytes" | "pending" | "connections" | "disconnections"
    ): void => {
      const more = this[name] - reported[name]
      if (more !== 0) updates.push(Metric.update(metric, more))
      reported[name] = this[name]
    }
    add(confirmedBytes, "bytes")
    add(pending, "pending")
    add(connections, "connections")
    add(disconnections, "disconnections")
    return Effect.all(updates, { discard: true })
  })
}
