/**
 * Reads messages from a disk queue, many at a time. Unreadable records are skipped and reported; a file that cannot
 * be opened or read at all is an error that the caller retries.
 */
import { Effect } from "effect"
import type { DiskError } from "../disk/Disk.ts"
import type { StoredRun } from "./BackendQueue.ts"
import { OutstandingRun, type RunOwner } from "./OutstandingRun.ts"
import type { QueueActivity, QueueOperation } from "./QueueActivity.ts"
import type { QueuePositions } from "./QueuePositions.ts"
import type { OpenReader } from "./QueueReader.ts"
import type { QueueWriter } from "./QueueWriter.ts"

/** The queue that is read. */
export interface ReadQueue extends RunOwner {
  readonly label: string
  readonly positions: QueuePositions
  readonly syncEvery: number
  readonly report: (operation: QueueOperation, error: DiskError | undefined) => Effect.Effect<void>
  readonly change: () => void
  readonly noteChange: () => void
  /** Called when reading leaves a file. */
  readonly release: (file: number) => void
}

export class QueueReading {
  private readonly queue: ReadQueue
  private readonly activity: QueueActivity
  private readonly writer: QueueWriter

  constructor(queue: ReadQueue, activity: QueueActivity, writer: QueueWriter) {
    this.queue = queue
    this.activity = activity
    this.writer = writer
  }

  /** Reads the next records in order: at least one, about `maxBytes`; `undefined` at the end of the queue. */
  read(maxBytes: number): Effect.Effect<StoredRun | undefined, DiskError> {
    return Effect.suspend(() => {
      const { activity, queue } = this
      return activity.reading(Effect.gen({ self: this }, function*() {
        const { positions } = queue
        while (positions.hasMore) {
          const run = yield* Effect.catch(this.readOnce(maxBytes), (error) =>
            error.code === "ENOENT"
              ? this.skip(error.text, Infinity)
              : Effect.andThen(queue.report("read", error), Effect.fail(error)))
          yield* queue.report("read", undefined)
          if (run !== undefined) return run
        }
        if (positions.waiting !== 0) {
          yield* Effect.logDebug(`${queue.label} everything is read, correcting the depth of ${positions.waiting}`)
          positions.waiting = 0
          queue.change()
        }
        return undefined
      }))
    })
  }

  private readOnce(maxBytes: number): Effect.Effect<StoredRun | undefined, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { activity, queue } = this
      const { positions } = queue
      const { file, offset } = positions.next
      const { range } = positions
      const opened = yield* activity.reader.fileFor(file)
      const isTail = file === positions.tail.file
      const sealedAt = isTail ? positions.tail.offset : activity.sealed.get(file)
      const end = sealedAt ?? (yield* activity.reader.sizeOf(opened))
      const limit = Math.min(end, range?.to ?? Infinity)
      if (offset >= limit) return yield* this.leaveEnd(opened, isTail || range !== undefined, end)
      const unverifiedFrom = activity.sums.pendingFrom(file)
      const result = yield* activity.reader.read(opened, offset, limit, maxBytes, unverifiedFrom)
      if (result._tag === "Damage") return yield* this.skip(result.problem, result.next)
      const { bytes, starts } = result
      const count = starts.length - 1
      const size = starts[count]!
      positions.goTo(offset + size)
      const ledger = new OutstandingRun(queue, file, offset, starts)
      activity.addRun(ledger)
      // At once, or the queue would seem to have more until it is read again.
      if (offset + size >= limit && (range !== undefined || !isTail)) {
        yield* this.leaveEnd(opened, range !== undefined, offset + size)
      }
      // After a kill, the metadata of NSQ's nsqd may have counted too many.
      positions.waiting = positions.hasMore ? Math.max(0, positions.waiting - count) : 0
      queue.noteChange()
      activity.operations += count
      if (activity.operations >= queue.syncEvery) {
        activity.isSyncDue = true
        this.writer.start()
      }
      return { bytes, start: 0, end: size, count, ledger }
    })
  }

  /** Continues after a range or a file that was read to `end`. A file that is not `isWhole` may have lost messages there. */
  private leaveEnd(opened: OpenReader, isWhole: boolean, end: number): Effect.Effect<undefined> {
    if (isWhole) return Effect.sync(() => this.leave())
    return Effect.flatMap(
      this.activity.reader.missingAt(opened, end),
      (missing) => missing === undefined ? Effect.sync(() => this.leave()) : this.skip(missing, Infinity)
    )
  }

  /** Leaves a range or a file. */
  private leave(): undefined {
    const { queue } = this
    queue.release(queue.positions.leave())
    queue.change()
    return undefined
  }

  /** Skips an unreadable part: reading continues at `next`, and the file is renamed once it is finished. */
  private skip(problem: string, next: number): Effect.Effect<undefined> {
    return Effect.gen({ self: this }, function*() {
      const { activity, queue } = this
      const { positions } = queue
      const { file, offset } = positions.next
      const where = next === Infinity ? "the rest of the file" : `${next - offset} bytes`
      yield* Effect.logError(
        `${queue.label} reading at ${offset} of ${activity.pathOf(file)} - ${problem}, skipping ${where}`
      )
      activity.damaged.add(file)
      // A damaged file gets no more records.
      if (file === positions.tail.file) yield* activity.exclusively(this.closeTail(file))
      if (next >= (positions.range?.to ?? Infinity)) return this.leave()
      positions.goTo(next)
      queue.change()
      return undefined
    })
  }

  private closeTail(file: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { activity, queue: { positions } } = this
      const { tail } = positions
      if (file !== tail.file) return Effect.void
      activity.sealed.set(file, tail.offset)
      positions.tail = { file: file + 1, offset: 0 }
      return activity.files.moveTo(positions.tail)
    })
  }
}
