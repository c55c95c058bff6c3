/**
 * Messages that a channel got from its topic and could not store, because its disk refuses writes. They wait for a consumer, or for the
 * next attempt to write them. Few channels ever have any.
 */
import { MemoryQueue, type Span } from "./MemoryQueue.ts"
import type { Worker } from "./Worker.ts"

const firstDelayMillis = 50
const lastDelayMillis = 2000

/** The topic's part in retained messages. */
export interface Retention {
  /** Whether the disk takes no messages because it is full. */
  readonly isDiskFull: boolean
  /** None wait any more. */
  readonly noteRoom: () => void
}

export class RetainedMessages {
  readonly queue = new MemoryQueue()
  private readonly worker: Worker
  private readonly retention: Retention
  private delayMillis = firstDelayMillis
  /** Whether an attempt is to come. */
  private isTimed = false
  private isLate = false
  /** Whether messages were taken that may come back. */
  private isTaken = false

  /** `worker` is called when the messages should be written. */
  constructor(worker: Worker, retention: Retention) {
    this.worker = worker
    this.retention = retention
  }

  /** Whether messages wait. */
  get isWaiting(): boolean {
    return this.queue.count > 0 || this.isTaken
  }
  /** Whether the messages should be written now. */
  get isDue(): boolean {
    return this.isLate && this.queue.count > 0
  }

  add(spans: ReadonlyArray<Span>): void {
    for (const span of spans) this.queue.push(span)
    this.waitForAttempt()
  }

  /** Takes all messages, which are dropped or wait elsewhere. */
  takeAll(): ReadonlyArray<Span> {
    const spans = this.take()
    this.left()
    return spans
  }

  /** Takes all messages to write them. `written` or `putBack` follows. */
  take(): ReadonlyArray<Span> {
    this.isTaken = true
    this.isLate = false
    return this.queue.takeAll()
  }

  /** These could not be written: the next attempt follows after twice the time. */
  putBack(spans: ReadonlyArray<Span>): void {
    if (spans.length === 0) return this.left()
    this.isTaken = false
    this.slowDown()
    this.add(spans)
  }

  /** They are written: the disk works. */
  written(): void {
    this.delayMillis = firstDelayMillis
    this.left()
  }

  private left(): void {
    this.isTaken = false
    this.retention.noteRoom()
  }

  private slowDown(): void {
    this.delayMillis = Math.min(lastDelayMillis, 2 * this.delayMillis)
  }

  private waitForAttempt(): void {
    if (this.isTimed) return
    this.isTimed = true
    this.worker.callLater(this.delayMillis, () => {
      this.isTimed = false
      if (this.queue.count === 0) {
        this.delayMillis = firstDelayMillis
        // The last one may have been deleted alone.
        if (!this.isTaken) this.retention.noteRoom()
      } else if (this.retention.isDiskFull) {
        // It would be refused; and while nsqd stops, the reserve is for what is only in memory.
        this.slowDown()
        this.waitForAttempt()
      } else {
        this.isLate = true
      }
    })
  }
}
