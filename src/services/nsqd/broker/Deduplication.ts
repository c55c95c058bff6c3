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
import { frameHeaders } from "../../../protocol/client/MessageBatch.ts"
import { type Completion, inOrder, isInOrder } from "../../core/Completion.ts"
import { RecentKeys } from "../../core/RecentKeys.ts"
import type { Time } from "../../core/Time.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { TopicPolicy } from "../policies/ResolvedPolicy.ts"
import { type BrokerError, writeFailure } from "./BrokerError.ts"

/** Keys of a topic if the policy has a window of time only. */
export const defaultDedupCount = 100_000

/** A publish whose result is not known. */
interface Pending {
  /** Whether its message was stored; only if a publish with the same key waits for it. */
  result: Deferred.Deferred<boolean> | undefined
}

export class Deduplication {
  private readonly policy: TopicPolicy
  private readonly time: Time
  private readonly log: () => TopicLog | undefined
  /** The keys whose message is stored, with its time in ms since the Unix epoch. */
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
    return Number(this.time.wallNanos() / 1_000_000n)
  }

  /** Publishes with `put` unless the key is stored within the window. `count` is the number of messages. */
  put(key: string, count: number, put: () => Completion<BrokerError>): Completion<BrokerError> {
    if (!this.isOn) {
      this.stored.clear()
      this.isLoaded = false
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
    if (this.stored.has(key)) {
      this.duplicates += count
      return undefined
    }
    const rest = put()
    if (rest === undefined) {
      this.note(key, now)
      return undefined
    }
    const pending: Pending = { result: undefined }
    this.pending.set(key, pending)
    const end = (isStored: boolean): void => {
      this.pending.delete(key)
      if (isStored) this.note(key, now)
      if (pending.result !== undefined) Deferred.doneUnsafe(pending.result, Effect.succeed(isStored))
    }
    const log = this.log()
    if (log !== undefined && isInOrder(rest)) {
      log.afterCommit(end)
      return rest
    }
    // What was appended is stored even if its publisher does not wait: its key must not be free meanwhile.
    const done = Effect.uninterruptible(
      Effect.onExit(rest, ({ _tag }) => Effect.sync(() => end(_tag === "Success")))
    )
    return isInOrder(rest) ? inOrder(done) : done
  }

  /** Waits for the publish with the same key; if that fails, publishes. */
  private after(
    before: Pending,
    key: string,
    count: number,
    put: () => Completion<BrokerError>
  ): Effect.Effect<void, BrokerError> {
    const result = before.result ??= Deferred.makeUnsafe<boolean>()
    return Effect.andThen(Deferred.await(result), Effect.suspend(() => this.put(key, count, put) ?? Effect.void))
  }

  private note(key: string, now: number): void {
    this.stored.note(key, now)
    this.expire(now)
  }

  /** Forgets the keys outside of the window. */
  private expire(now: number): void {
    const { dedupCount, dedupWindowMillis } = this.policy
    const most = dedupCount > 0 ? dedupCount : defaultDedupCount
    this.stored.forget(most, dedupWindowMillis > 0 ? now - dedupWindowMillis : -Infinity)
  }

  /** Reads the keys within the window from the log. */
  private get load(): Effect.Effect<void, BrokerError> {
    return this.loading.withPermit(Effect.suspend((): Effect.Effect<void, BrokerError> => {
      const log = this.log()
      if (this.isLoaded || log === undefined) return Effect.void
      const { dedupWindowMillis } = this.policy
      const from = dedupWindowMillis > 0
        ? log.history.sequenceAt(this.now() - dedupWindowMillis)
        : Effect.succeed(log.history.start)
      return Effect.flatMap(
        from,
        (sequence) =>
          log.history.scan(sequence, ({ acceptedAt, count, hasHeaders }, frames) => {
            if (!hasHeaders) return true
            for (let i = 0, at = 0; i < count; i++) {
              const key = headerValue(frameHeaders(frames, at), dedupKeyHeader)
              if (key !== undefined) this.stored.note(key, acceptedAt)
              at += frames.readInt32BE(at) + 4
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
