/** A finding of `nsq doctor`. */

/** What is wrong: `error` for what loses messages or stops a daemon or its clients, `warning` for what may. */
export type Severity = "error" | "warning"

/** The names of the checks (docs/cli.md#doctor). */
export const checks = [
  "unreachable-nsqlookupd",
  "unreachable-nsqd",
  "unresolvable-address",
  "dead-entry",
  "unreachable-address",
  "loopback-address",
  "unhealthy-nsqd",
  "missing-registration",
  "clock-skew",
  "version-mix",
  "topic-without-channel",
  "channel-without-consumer",
  "insecure-listener",
  "expiring-certificate",
  "unreadable-certificate",
  "invalid-options",
  "contradicting-options",
  "ineffective-options",
  "unavailable-port",
  "low-descriptor-limit",
  "full-disk",
  "slow-disk",
  "damaged-data",
  "unusable-data-directory"
] as const

/** A problem that a check has found. */
export interface Finding {
  readonly severity: Severity
  /** The name of the check, for `--skip`. */
  readonly check: typeof checks[number]
  /** The daemon, topic, channel, file or directory. */
  readonly subject: string
  readonly cause: string
  readonly remedy: string
}

const rank: Readonly<Record<Severity, number>> = { error: 0, warning: 1 }

/** Sorts errors before warnings, and otherwise keeps the order. */
export const sorted = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> =>
  findings.toSorted((a, b) => rank[a.severity] - rank[b.severity])

/** Formats findings for people: a line for each, with cause and remedy below it. */
export const toText = (findings: ReadonlyArray<Finding>): string =>
  findings.map(({ cause, check, remedy, severity, subject }) =>
    `${severity.padEnd(7)}  ${subject}  (${check})\n         ${cause}\n         ${remedy}`
  ).join("\n")
