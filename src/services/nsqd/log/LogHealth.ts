/**
 * What fails in a log at the moment. Writing messages, recording the channels' state and the reads of each channel fail and
 * recover independently. The first failure and the recovery are logged; the failures in between are not.
 */
import { Effect } from "effect"
import type { StorageError } from "../disk/StorageError.ts"

/** What a log does with its files, besides reading. */
export type LogActivity = "write" | "record"

const failure: Record<LogActivity, string> = {
  write: "failed to write, publishes fail until the disk works",
  record: "failed to record the channels' state, retrying"
}

const recovery: Record<LogActivity, string> = {
  write: "can write again",
  record: "can record the channels' state again"
}

export class LogHealth {
  private readonly label: string
  private readonly report: (what: string, error: StorageError | undefined) => void
  /** The failing parts, by the names that they are reported with. */
  private readonly failing = new Set<string>()

  /** `label` is the log's name; `report` sets the failure of a part of the log, or that it works again. */
  constructor(label: string, report: (what: string, error: StorageError | undefined) => void) {
    this.label = label
    this.report = report
  }

  isFailing(activity: LogActivity): boolean {
    return this.failing.has(this.nameOf(activity))
  }

  /** Records a failure. */
  fails(activity: LogActivity, error: StorageError): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.add(this.nameOf(activity), error)
        ? Effect.logError(`${this.label}: ${failure[activity]} - ${error.message}`)
        : Effect.void
    )
  }

  /** Records a success. */
  works(activity: LogActivity): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.remove(this.nameOf(activity)) ? Effect.logInfo(`${this.label}: ${recovery[activity]}`) : Effect.void
    )
  }

  /** Records the failed read of a channel, which the channel logs. */
  readFails(channel: string, error: StorageError): void {
    this.add(this.nameOf(`read ${channel}`), error)
  }

  /** Records that the channel can read, or does not exist any more. */
  readWorks(channel: string): void {
    this.remove(this.nameOf(`read ${channel}`))
  }

  /** Forgets all failures, because the log is closed. */
  close(): void {
    for (const name of Array.from(this.failing)) this.remove(name)
  }

  private add(name: string, error: StorageError): boolean {
    this.report(name, error)
    if (this.failing.has(name)) return false
    this.failing.add(name)
    return true
  }

  private remove(name: string): boolean {
    if (!this.failing.delete(name)) return false
    this.report(name, undefined)
    return true
  }

  private nameOf(part: string): string {
    return `${this.label} ${part}`
  }
}
