/**
 * The keys of a topic's recent publishes (docs/headers.md#de-duplication): a publish with a key that is stored already is accepted and
 * not stored again. A key counts when its message is stored; a publish that arrives meanwhile waits for the result.
 *
 * The keys of a durable topic are in the headers of its messages, from which the first publish with a key reads them after a start.
 *
 * Hot path: a publish with a new key reads the clock once. If it waits for the commit of a log, the commit calls back, because an Effect
 * around each publish took as long as all else that nsqd does for it.
 */
import { Deferred, Effect, Semaphore } from "effect"
import { dedupKeyHeader, headerValue } from "../../../protocol/client/Headers.ts"
import { frameHeaders, frameTimestampOffset } from "../../../protocol/client/MessageBatch.ts"
import { intactStarts } from "../../../protocol/storage/LogRecord.ts"
import { type Completion, isInOrder } from "../../core/Completion.ts"
import { RecentKeys } from "../../core/RecentKeys.ts"
import type { Time } from "../../core/Time.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { TopicPolicy } from "../policies/ResolvedPolicy.ts"
import { type BrokerError, writeFailure } from "./BrokerError.ts"

/** Keys of a topic if the policy has a window of time only. */
export const defaultDedupCount = 100_000

/** A publish whose result is not known. */
interface Pending {
  /** Whether its message is being stored. Its publisher may have been interrupted before that: then it never is. */
  isStarted: boolean
  /** Whether its message was stored; only if a publish with the same key waits for it. */
  result: Deferred.Deferred<boolean> | undefined
}

export class Deduplication {
  private readonly policy: TopicPolicy
  private readonly time: Time
  private readonly log: () => TopicLog | undefined
  /** The keys whose message is stored, with its time in monotonic ms: the wall clock may be set. */
  private readonly stored = new RecentKeys()
  private readonly pending = new Map<string, Pending>()
  private readonly loading = Semaphore.makeUnsafe(1)
  private isLoaded = false
  /** Publishes that were accepted and not stored again. */
  duplicates = 0

  /** `log` returns the log of the topic, if it has one. */
  constructor(policy: TopicPolicy, time: Time, log: () => TopicLog | undefined) {
    this.policy = policy
    this.time = time
    this.log = log
  }

  /** Number of keys. */
  get size(): number {
    return this.stored.size
  }

  private get isOn(): boolean {
    return this.policy.dedupWindowMillis > 0 || this.policy.dedupCount > 0
  }

  private now(): number {
    return this.time.monotonicMillis()
  }

  /** The keys of messages after this time are within the window. */
  private oldest(now: number): number {
    const { dedupWindowMillis } = this.policy
    return dedupWindowMillis > 0 ? now - dedupWindowMillis : -Infinity
  }

  /** Publishes with `put` unless the key is stored within the window. `count` is the number of messages. */
  put(key: string, count: number, put: () => Completion<BrokerError>): Completion<BrokerError> {
    if (!this.isOn) {
      // Keys without a policy cost nothing.
      if (this.isLoaded || this.stored.size > 0) {
        this.stored.clear()
        this.isLoaded = false
      }
      return put()
    }
    if (this.isLoaded || this.log() === undefined) {
      this.isLoaded = true
      const before = this.pending.size === 0 ? undefined : this.pending.get(key)
      return before === undefined ? this.first(key, count, put) : this.after(before, key, count, put)
    }
    return Effect.andThen(this.load, Effect.suspend(() => this.put(key, count, put) ?? Effect.void))
  }

  private first(key: string, count: number, put: () => Completion<BrokerError>): Completion<BrokerError> {
    const now = this.now()
    this.expire(now)
    const stored = this.stored.timeOf(key)
    // Those that a log had may be in another order than their times.
    if (stored !== undefined && stored > this.oldest(now)) {
      this.duplicates += count
      return undefined
    }
    const rest = put()
    if (rest === undefined) {
      this.note(key, now)
      return undefined
    }
    const pending: Pending = { isStarted: false, result: undefined }
    this.pending.set(key, pending)
    const end = (isStored: boolean): void => {
      this.pending.delete(key)
      if (isStored) this.note(key, now)
      if (pending.result !== undefined) Deferred.doneUnsafe(pending.result, Effect.succeed(isStored))
    }
    const log = this.log()
    if (log !== undefined && isInOrder(rest)) {
      pending.isStarted = true
      log.commits.afterCommit(end)
      return rest
    }
    // What is being stored is stored even if its publisher does not wait: its key must not be free meanwhile.
    return Effect.uninterruptible(Effect.suspend(() => {
      if (this.pending.get(key) !== pending) return this.put(key, count, () => rest) ?? Effect.void
      pending.isStarted = true
      return Effect.onExit(rest, ({ _tag }) => Effect.sync(() => end(_tag === "Success")))
    }))
  }

  /** Waits for the publish with the same key; if that fails, publishes. Takes the place of one that has not started. */
  private after(
    before: Pending,
    key: string,
    count: number,
    put: () => Completion<BrokerError>
  ): Completion<BrokerError> {
    if (!before.isStarted) {
      this.pending.delete(key)
      return this.first(key, count, put)
    }
    const result = before.result ??= Deferred.makeUnsafe<boolean>()
    return Effect.andThen(Deferred.await(result), Effect.suspend(() => this.put(key, count, put) ?? Effect.void))
  }

  private note(key: string, now: number): void {
    this.stored.note(key, now)
    this.expire(now)
  }

  /** Forgets the keys outside of the window. */
  private expire(now: number): void {
    const { dedupCount } = this.policy
    this.stored.forget(dedupCount > 0 ? dedupCount : defaultDedupCount, this.oldest(now))
  }

  /** Reads the keys within the window from the log. */
  private get load(): Effect.Effect<void, BrokerError> {
    return this.loading.withPermit(Effect.suspend((): Effect.Effect<void, BrokerError> => {
      const log = this.log()
      if (this.isLoaded || log === undefined) return Effect.void
      const { dedupWindowMillis } = this.policy
      const wall = Number(this.time.wallNanos() / 1_000_000n)
      const now = this.now()
      const from = dedupWindowMillis > 0
        ? log.history.sequenceAt(wall - dedupWindowMillis)
        : Effect.succeed(log.history.start)
      return Effect.flatMap(
        from,
        (sequence) =>
          log.history.scan(sequence, (header, frames) => {
            // A damaged record has no keys: its messages are not delivered either.
            const starts = header.hasHeaders ? intactStarts(header, frames) : undefined
            if (starts === undefined) return true
            for (let i = 0; i < header.count; i++) {
              const at = starts[i]!
              const key = headerValue(frameHeaders(frames, at), dedupKeyHeader)
              if (key === undefined) continue
              const accepted = Number(frames.readBigInt64BE(at + frameTimestampOffset) / 1_000_000n)
              // The clock may have been set back since.
              this.stored.note(key, now - Math.max(0, wall - accepted))
            }
            this.expire(this.now())
            return true
          })
      ).pipe(
        Effect.andThen(Effect.sync(() => void (this.isLoaded = true))),
        Effect.mapError((error) => writeFailure(error, 0))
      )
    }))
  }
}
