/**
 * The keys of a topic's recent publishes (docs/headers.md#de-duplication): a publish with a key that is stored already is accepted and
 * not stored again. A key counts when its message is stored; a publish that arrives meanwhile waits for the result.
 *
 * The keys of a durable topic are in the headers of its messages, from which the first publish with a key reads them after a start.
 *
 * Hot path: the clock is read once for all publishes of a turn, and a key is read where it has arrived. If a message waits for the commit
 * of a log, its key is noted for later, and the commit calls back once for all its keys: an Effect around each publish took as long as all
 * else that nsqd does for it.
 */
import { Deferred, Effect, Semaphore } from "effect"
import { valueAt, valueStart } from "../../../protocol/client/HeaderLines.ts"
import { dedupKeyHeader } from "../../../protocol/client/Headers.ts"
import { frameHeaders, frameTimestampOffset, type PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import { intactStarts } from "../../../protocol/storage/LogRecord.ts"
import { type Completion, isInOrder } from "../../core/Completion.ts"
import { KeyWords } from "../../core/KeyWords.ts"
import { isWithin, pendingTime, RecentKeys } from "../../core/RecentKeys.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { TopicPolicy } from "../policies/ResolvedPolicy.ts"
import { type BrokerError, writeFailure } from "./BrokerError.ts"
import type { Put } from "./LargeBatches.ts"
import type { Surroundings } from "./Surroundings.ts"

/** Keys of a topic if the policy has a window of time only. */
export const defaultDedupCount = 100_000

/** The headers with the key of a publish. */
const headersOf = ({ headers }: PublishedBodies): Buffer => {
  if (Buffer.isBuffer(headers)) return headers
  throw new Error("invariant: the headers of a publish with a key are one block")
}

const textOf = (bodies: PublishedBodies): string => valueAt(headersOf(bodies), bodies.dedupKeyStart ?? 0)

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
  private readonly surroundings: Pick<Surroundings, "time" | "turnClock">
  private readonly log: () => TopicLog | undefined
  private readonly store: Put
  /** The keys whose message is stored, with its time in monotonic ms: the wall clock may be set. */
  private readonly stored = new RecentKeys()
  /** The key of the publish that is looked at. */
  private readonly key = new KeyWords()
  private readonly pending = new Map<string, Pending>()
  /** The commit that is being written and the next one. */
  private readonly commits: Array<Commit> = []
  private readonly loading = Semaphore.makeUnsafe(1)
  private isLoaded = false
  /** Publishes that were accepted and not stored again. */
  duplicates = 0

  /** `log` returns the log of the topic, if it has one; `store` stores messages there. */
  constructor(
    policy: TopicPolicy,
    surroundings: Pick<Surroundings, "time" | "turnClock">,
    log: () => TopicLog | undefined,
    store: Put
  ) {
    this.policy = policy
    this.surroundings = surroundings
    this.log = log
    this.store = store
  }

  /** Number of keys. */
  get size(): number {
    return this.stored.size
  }

  private get isOn(): boolean {
    return this.policy.dedupWindowMillis > 0 || this.policy.dedupCount > 0
  }

  private now(): number {
    return this.surroundings.turnClock.monotonicMillis()
  }

  /** The keys of messages after this time are within the window. */
  private oldest(now: number): number {
    const { dedupWindowMillis } = this.policy
    return dedupWindowMillis > 0 ? now - dedupWindowMillis : -Infinity
  }

  /** Publishes unless the key is stored within the window. */
  put(bodies: PublishedBodies, deferMillis: number): Completion<BrokerError> {
    return this.putWith(bodies, deferMillis, this.store)
  }

  private putWith(bodies: PublishedBodies, deferMillis: number, store: Put): Completion<BrokerError> {
    if (!this.isOn) {
      // Keys without a policy cost nothing.
      this.isLoaded = false
      if (this.stored.size > 0 && this.commits.length === 0) this.stored.clear()
      return store(bodies, deferMillis)
    }
    if (!this.isLoaded && this.log() !== undefined) {
      return Effect.andThen(this.load, this.again(bodies, deferMillis, store))
    }
    this.isLoaded = true
    const before = this.pending.size === 0 ? undefined : this.pending.get(textOf(bodies))
    return before === undefined
      ? this.first(bodies, deferMillis, store)
      : this.after(before, bodies, deferMillis, store)
  }

  private again(bodies: PublishedBodies, deferMillis: number, store: Put): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => this.putWith(bodies, deferMillis, store) ?? Effect.void)
  }

  private first(bodies: PublishedBodies, deferMillis: number, store: Put): Completion<BrokerError> {
    const { key, stored } = this
    const now = this.now()
    // The window may have become smaller.
    this.expire(now)
    this.setKey(bodies)
    const time = stored.timeOf(key)
    if (time === pendingTime) return this.afterCommit(bodies, deferMillis, store)
    // Those that a log had may be in another order than their times.
    if (time !== undefined && time > this.oldest(now)) {
      this.duplicates += bodies.count
      return undefined
    }
    if (time !== undefined) stored.remove(key)
    const rest = store(bodies, deferMillis)
    if (rest === undefined) {
      stored.add(key, now)
      this.expire(now)
      return undefined
    }
    const log = this.log()
    if (log !== undefined && isInOrder(rest) && !stored.isSparse) {
      this.addForCommit(log, now)
      return rest
    }
    return this.wait(bodies, rest, now)
  }

  /** Publishes with the same key wait for `rest`, which stores the message. */
  private wait(bodies: PublishedBodies, rest: Effect.Effect<void, BrokerError>, now: number): Completion<BrokerError> {
    const text = textOf(bodies)
    const pending: Pending = { isStarted: false, result: undefined }
    this.pending.set(text, pending)
    // What is being stored is stored even if its publisher does not wait: its key must not be free meanwhile.
    return Effect.uninterruptible(Effect.suspend(() => {
      if (this.pending.get(text) !== pending) return this.putWith(bodies, 0, () => rest) ?? Effect.void
      pending.isStarted = true
      return Effect.onExit(rest, ({ _tag }) =>
        Effect.sync(() => {
          this.pending.delete(text)
          if (_tag === "Success") {
            this.setKey(bodies)
            this.note(now)
          }
          if (pending.result !== undefined) Deferred.doneUnsafe(pending.result, Effect.void)
        }))
    }))
  }

  /** Adds the key, whose message the next commit of `log` stores. */
  private addForCommit(log: TopicLog, now: number): void {
    const { key, stored } = this
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
  private afterCommit(bodies: PublishedBodies, deferMillis: number, store: Put): Completion<BrokerError> {
    const number = this.stored.numberOf(this.key)
    const commit = this.commits.find(({ from, to }) => number !== undefined && isWithin(number, from, to))
    if (commit === undefined) throw new Error("invariant: a key that is noted for later waits for a commit")
    const result = commit.result ??= Deferred.makeUnsafe<void>()
    return Effect.andThen(Deferred.await(result), this.again(bodies, deferMillis, store))
  }

  /** Waits for the publish with the same key; if that fails, publishes. Takes the place of one that has not started. */
  private after(
    before: Pending,
    bodies: PublishedBodies,
    deferMillis: number,
    store: Put
  ): Completion<BrokerError> {
    if (!before.isStarted) {
      this.pending.delete(textOf(bodies))
      return this.first(bodies, deferMillis, store)
    }
    const result = before.result ??= Deferred.makeUnsafe<void>()
    return Effect.andThen(Deferred.await(result), this.again(bodies, deferMillis, store))
  }

  private setKey(bodies: PublishedBodies): void {
    this.key.setLine(headersOf(bodies), bodies.dedupKeyStart ?? 0)
  }

  /** Notes the key, with the time of its message. */
  private note(time: number): void {
    // One that waits for its commit is in the log soon.
    if (this.stored.timeOf(this.key) === pendingTime) return
    this.stored.note(this.key, time)
    this.expire(this.now())
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
      const wall = Number(this.surroundings.time.wallNanos() / 1_000_000n)
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
              const headers = frameHeaders(frames, at)
              const keyStart = valueStart(headers, dedupKeyHeader)
              if (keyStart === undefined) continue
              const accepted = Number(frames.readBigInt64BE(at + frameTimestampOffset) / 1_000_000n)
              // The clock may have been set back since.
              this.key.setLine(headers, keyStart)
              this.note(now - Math.max(0, wall - accepted))
            }
            return true
          })
      ).pipe(
        Effect.andThen(Effect.sync(() => void (this.isLoaded = true))),
        Effect.mapError((error) => writeFailure(error, 0))
      )
    }))
  }
}
