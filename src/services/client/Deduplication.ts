/**
 * Keys of messages that were processed lately, so that a message that arrives twice is handled once. The state is that of one
 * consumer in memory.
 */
import { Deferred, Effect, Exit } from "effect"
import { KeyWords } from "../core/KeyWords.ts"
import { RecentKeys } from "../core/RecentKeys.ts"

/** The processing of one key. */
export interface Attempt<E, R> {
  readonly work: Effect.Effect<unknown, E, R>
  /** Whether the key counts as processed after the work has succeeded. */
  readonly isProcessed: () => boolean
  /** Called instead of the work if the key was processed before. */
  readonly onDuplicate: () => void
}

export class Deduplication {
  private readonly windowMillis: number
  private readonly maxKeys: number
  private readonly now: () => number
  /** The processed keys, with the time when that ended. */
  private readonly processed = new RecentKeys()
  private readonly words = new KeyWords()
  private readonly inProgress = new Map<string, Deferred.Deferred<void>>()

  constructor(windowMillis: number, maxKeys: number, now: () => number) {
    this.windowMillis = windowMillis
    this.maxKeys = maxKeys
    this.now = now
  }

  /** Whether the key was processed within the window. */
  has(key: string): boolean {
    this.forget()
    this.words.setText(key)
    return this.processed.has(this.words)
  }

  /** Whether the key is being processed. */
  isClaimed(key: string): boolean {
    return this.inProgress.has(key)
  }

  /** Records that the key is being processed. */
  claim(key: string): void {
    this.inProgress.set(key, Deferred.makeUnsafe())
  }

  /** Ends a claim; `isProcessed` is whether the key counts as processed. */
  release(key: string, isProcessed: boolean): void {
    if (isProcessed) {
      this.words.setText(key)
      this.processed.note(this.words, this.now())
      this.forget()
    }
    const claim = this.inProgress.get(key)
    this.inProgress.delete(key)
    if (claim !== undefined) Deferred.doneUnsafe(claim, Effect.void)
  }

  /**
   * Does the work unless the key was processed. Waits while the key is being processed, so that a failure there leads to another
   * attempt here.
   */
  once<E, R>(key: string, attempt: Attempt<E, R>): Effect.Effect<unknown, E, R> {
    return Effect.suspend((): Effect.Effect<unknown, E, R> => {
      if (this.has(key)) return Effect.sync(attempt.onDuplicate)
      const claim = this.inProgress.get(key)
      if (claim !== undefined) return Effect.andThen(Deferred.await(claim), this.once(key, attempt))
      this.claim(key)
      return Effect.onExit(
        attempt.work,
        (exit) => Effect.sync(() => this.release(key, Exit.isSuccess(exit) && attempt.isProcessed()))
      )
    })
  }

  /** Forgets the keys that are too old or too many. */
  private forget(): void {
    this.processed.forget(this.maxKeys, this.now() - this.windowMillis)
  }
}
