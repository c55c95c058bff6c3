/**
 * The messages of a channel that are on their way to its dead-letter topic. They count as in flight; the channel finishes each when the
 * other topic has stored it. While that fails, they stay and are tried again.
 */
import { Effect } from "effect"
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { BrokerError } from "./BrokerError.ts"
import type { Letter } from "./DeadLetters.ts"
import { Worker, type WorkerPool } from "./Worker.ts"

/** Messages that wait here at most. */
const maxWaiting = 10_000
/** Messages, and bytes of frames, that are stored together. */
const lettersAtOnce = 256
const bytesAtOnce = 1024 * 1024

const firstDelayMillis = 50
const lastDelayMillis = 2000

interface Waiting extends Letter {
  readonly batch: MessageBatch
}

/** Whether a limit of the dead-letter topic has refused the messages, which it takes together or not at all. */
const isFull = (failure: BrokerError | StorageError): boolean =>
  failure._tag === "BrokerError" && failure.reason._tag === "TopicFull"

export class Burial {
  /** Messages that the dead-letter topic has stored. */
  stored = 0
  private waiting: Array<Waiting> = []
  /** Messages that are stored together: fewer while their topic has no room for all of them. */
  private most = lettersAtOnce
  private delayMillis = 0
  /** While the next attempt is waited for. */
  private isResting = false
  private readonly label: string
  private readonly store: (
    letters: ReadonlyArray<Letter>,
    stored: () => void
  ) => Effect.Effect<void, BrokerError | StorageError>
  private readonly progressed: () => void
  private readonly work: Worker

  /**
   * `store` stores messages and calls its second argument when they are; `progressed` is called when there is room again. `label` is
   * the channel's name in the log.
   */
  constructor(
    label: string,
    workers: WorkerPool,
    store: Burial["store"],
    progressed: () => void
  ) {
    this.label = label
    this.store = store
    this.progressed = progressed
    this.work = new Worker(workers, label, () => this.isResting || this.waiting.length === 0 ? undefined : this.run)
  }

  get count(): number {
    return this.waiting.length
  }
  /** Whether messages have to stay in the channel for now. */
  get isFull(): boolean {
    return this.waiting.length >= maxWaiting
  }

  /** Takes a message, which is alone in its batch and whose attempts are raised already. */
  add(batch: MessageBatch, reason: string, client: string): void {
    this.waiting.push({ batch, frame: batch.frames, reason, client })
    this.work.call()
  }

  /** Ends the work, after a store that has begun. */
  get stop(): Effect.Effect<void> {
    return this.work.stop
  }

  /** The sequences of the messages that wait, if they are in a log. */
  get sequences(): ReadonlySet<number> {
    return new Set(this.waiting.flatMap(({ batch }) => batch.sequenceAt(0) ?? []))
  }

  /** The messages that wait, each alone in its batch. */
  get batches(): ReadonlyArray<MessageBatch> {
    return this.waiting.map(({ batch }) => batch)
  }

  /** Forgets the wanted messages, which do not become dead letters unless they are being stored; returns them. */
  forget(isWanted: (batch: MessageBatch) => boolean): ReadonlyArray<MessageBatch> {
    const forgotten = this.batches.filter(isWanted)
    if (forgotten.length > 0) this.waiting = this.waiting.filter(({ batch }) => !forgotten.includes(batch))
    return forgotten
  }

  /** Gives back all messages. */
  takeAll(): ReadonlyArray<MessageBatch> {
    const { batches } = this
    this.waiting = []
    return batches
  }

  private readonly run: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    while (this.waiting.length > 0) {
      const letters = this.next()
      const failure = yield* Effect.match(this.store(letters, () => this.finish(letters)), {
        onSuccess: () => undefined,
        onFailure: (error) => error
      })
      if (failure === undefined) {
        this.delayMillis = 0
        this.most = Math.min(lettersAtOnce, 2 * this.most)
        this.progressed()
        continue
      }
      if (isFull(failure)) {
        if (letters.length > 1) {
          this.most = letters.length >> 1
          continue
        }
        // It may be too large for a limit of its topic, where others have room. Meanwhile it may have been deleted or given back.
        const isRefused = (letter: Waiting): boolean => letters.includes(letter)
        this.waiting = [...this.waiting.filter((letter) => !isRefused(letter)), ...this.waiting.filter(isRefused)]
      }
      if (this.delayMillis === 0) {
        yield* Effect.logError(`${this.label}: failed to store dead letters, retrying - ${failure.message}`)
      }
      this.delayMillis = this.delayMillis === 0 ? firstDelayMillis : Math.min(lastDelayMillis, 2 * this.delayMillis)
      this.isResting = true
      this.work.callLater(this.delayMillis, () => {
        this.isResting = false
      })
      return
    }
  })

  private next(): ReadonlyArray<Waiting> {
    let bytes = 0
    let count = 0
    while (count < Math.min(this.most, this.waiting.length) && (count === 0 || bytes < bytesAtOnce)) {
      bytes += this.waiting[count++]!.frame.length
    }
    return this.waiting.slice(0, count)
  }

  /** Messages that the channel has dropped meanwhile are finished already. */
  private finish(letters: ReadonlyArray<Waiting>): void {
    const stored = new Set(letters)
    this.waiting = this.waiting.filter((letter) => {
      if (!stored.has(letter)) return true
      letter.batch.settle(0, 1)
      this.stored++
      return false
    })
  }
}
