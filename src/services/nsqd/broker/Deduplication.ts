/**
 * The keys of a topic's recent publishes (docs/headers.md#de-duplication): a publish with a key that is stored already is accepted and
 * not stored again. A key counts when its message is stored; a publish that arrives meanwhile waits for the result.
 *
 * The keys of a durable topic are in the headers of its messages, from which the first publish with a key reads them after a start.
 *
 * Hot path: a publish with a new key reads the clock once. If its message waits for the commit of a log, its key is noted for later, and
 * the commit calls back once for all its keys: an Effect around each publish took as long as all else that nsqd does for it.
 */
import { Deferred, Effect, Semaphore } from "effect"
import { dedupKeyHeader, headerValue } from "../../../protocol/client/Headers.ts"
import { frameHeaders, frameTimestampOffset } from "../../../protocol/client/MessageBatch.ts"
import { intactStarts } from "../../../protocol/storage/LogRecord.ts"
import { type Completion, isInOrder } from "../../core/Completion.ts"
import { isWithin, pendingTime, RecentKeys } from "../../core/RecentKeys.ts"
import type { Time } from "../../core/Time.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { TopicPolicy } from "../policies/ResolvedPolicy.ts"
import { type BrokerError, writeFailure } from "./BrokerError.ts"

/** Keys of a topic if the policy has a window of time only. */
export const defaultDedupCount = 100_000

/** A publish that waits for its turn. */
interface Pending {
  /** Whether its message is being stored. Its publisher may have been interrupted before that: then it never is. */
  isStarted: boolean
  /** Completes when it is known whether its message is stored; only if a publish with the same key waits for it. */
  result: Deferred.Deferred<void> | undefined
}

/** The keys whose messages one commit of a log stores. */
interface Commit {
  readonly log: TopicLog
  /** The sequence of its first message. */
  readonly first: number
  /** The numbers of its keys are from this one up to, but not including, `to`. */
  readonly from: number
  to: number
  /** Completes with the commit; only if a publish with one of its keys waits for it. */
  result: Deferred.Deferred<void> | undefined
}

export class Deduplication {
  private readonly policy: TopicPolicy
  private readonly time: Time
  private readonly log: () => TopicLog | undefined
  /** The keys whose message is stored, with its time in monotonic ms: the wall clock may be set. */
  private readonly stored = new RecentKeys()
  private readonly pending = new Map<string, Pending>()
  /** The commit that is being written and the next one. */
  private readonly commits: Array<Commit> = []
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
      this.isLoaded = false
      if (this.stored.size > 0 && this.commits.length === 0) this.stored.clear()
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
    if (stored === pendingTime) return this.afterCommit(key, count, put)
    // Those that a log had may be in another order than their times.
    if (stored !== undefined && stored > this.oldest(now)) {
      this.duplicates += count
      return undefined
    }
    if (stored !== undefined) this.stored.remove(key)
    const rest = put()
    if (rest === undefined) {
      this.stored.add(key, now)
      this.expire(now)
      return undefined
    }
    const log = this.log()
    if (log !== undefined && isInOrder(rest) && !this.stored.isSparse) {
      this.addForCommit(log, key, now)
      return rest
    }
    const pending: Pending = { isStarted: false, result: undefined }
    this.pending.set(key, pending)
    // What is being stored is stored even if its publisher does not wait: its key must not be free meanwhile.
    return Effect.uninterruptible(Effect.suspend(() => {
      if (this.pending.get(key) !== pending) return this.put(key, count, () => rest) ?? Effect.void
      pending.isStarted = true
      return Effect.onExit(rest, ({ _tag }) =>
        Effect.sync(() => {
          this.pending.delete(key)
          if (_tag === "Success") this.note(key, now)
          if (pending.result !== undefined) Deferred.doneUnsafe(pending.result, Effect.void)
        }))
    }))
  }

  /** Adds a key whose message the next commit of `log` stores. */
  private addForCommit(log: TopicLog, key: string, now: number): void {
    const { stored } = this
    const { openFrom } = log.commits
    const number = stored.add(key, pendingTime)
    const last = this.commits.at(-1)
    if (last !== undefined && last.log === log && last.first === openFrom) {
      last.to = stored.end
      return
    }
    const commit: Commit = { log, first: openFrom, from: number, to: stored.end, result: undefined }
    this.commits.push(commit)
    log.commits.afterCommit((isStored) => {
      this.commits.splice(this.commits.indexOf(commit), 1)
      stored.settle(commit.from, commit.to, isStored ? now : undefined)
      this.expire(now)
      if (commit.result !== undefined) Deferred.doneUnsafe(commit.result, Effect.void)
    })
  }

  /** Waits for the commit that stores a message with the same key; if that fails, publishes. */
  private afterCommit(key: string, count: number, put: () => Completion<BrokerError>): Completion<BrokerError> {
    const number = this.stored.numberOf(key)
    const commit = this.commits.find(({ from, to }) => number !== undefined && isWithin(number, from, to))
    if (commit === undefined) throw new Error("invariant: a key that is noted for later waits for a commit")
    const result = commit.result ??= Deferred.makeUnsafe<void>()
    return Effect.andThen(Deferred.await(result), Effect.suspend(() => this.put(key, count, put) ?? Effect.void))
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
    const result = before.result ??= Deferred.makeUnsafe<void>()
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
              // One that waits for its commit is in the log soon. The clock may have been set back since.
              if (this.stored.timeOf(key) !== pendingTime) this.stored.note(key, now - Math.max(0, wall - accepted))
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
