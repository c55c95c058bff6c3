/**
 * Writes the unfinished messages of a data directory to disk queues in NSQ's format. Messages of a log are gathered, because most
 * of its records have few of them. One topic's queues are open at a time.
 */
import { Effect, Exit, References, Scope } from "effect"
import { hasHeadersAt, MessageBatch, setAttempts } from "../../../protocol/client/MessageBatch.ts"
import { frameStarts, type LogHeader } from "../../../protocol/storage/LogRecord.ts"
import { DaemonState } from "../../core/DaemonState.ts"
import type { Disk } from "../disk/Disk.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { RecordRun } from "../storage/BackendQueue.ts"
import { DiskQueue } from "../storage/DiskQueue.ts"
import type { DiskQueueOptions, QueueHost } from "../storage/QueueHost.ts"
import { fromNames } from "../storage/QueueInventory.ts"
import type { LogContents, LogOwner } from "./LogContents.ts"
import type { DataSink } from "./Verification.ts"

/** Bytes of messages that are gathered for all queues of a topic. */
const gatheredBytes = 4 * 1024 * 1024

/** The messages of a channel, or of the topic itself, that wait to be written. */
interface Gathered {
  readonly owner: LogOwner
  frames: Array<Buffer>
}

interface OpenTopic {
  readonly topic: string
  readonly scope: Scope.Closeable
  readonly queues: Map<string, DiskQueue>
  readonly gathered: Map<LogOwner, Gathered>
  bytes: number
}

export class QueueSink implements DataSink {
  private readonly disk: Disk["Service"]
  private readonly options: DiskQueueOptions
  /** The files that the directory had before. */
  private readonly names: ReadonlyMap<string, ReadonlyArray<string>>
  private readonly isDeferredDue: boolean
  private readonly host: QueueHost
  private readonly state = DaemonState.make()
  private failed = false
  private open: OpenTopic | undefined

  /** With `isDeferredDue` deferred messages are written like others, otherwise not at all. `names` has the files by queue. */
  constructor(
    disk: Disk["Service"],
    options: DiskQueueOptions,
    names: ReadonlyMap<string, ReadonlyArray<string>>,
    isDeferredDue: boolean,
    fork: (work: Effect.Effect<void>) => void
  ) {
    this.disk = disk
    this.options = options
    this.names = names
    this.isDeferredDue = isDeferredDue
    this.host = {
      note: (_, error) => void (this.failed ||= error !== undefined),
      changed: () => {},
      closed: () => {},
      isFull: () => false,
      fork
    }
  }

  /** Whether anything could not be written or synced: a sync that succeeds afterwards does not show what a failed one has lost. */
  get hasFailed(): boolean {
    return this.failed || this.state.hasLost
  }

  logged(topic: string, contents: LogContents, header: LogHeader, frames: Buffer): Effect.Effect<void, StorageError> {
    return Effect.flatMap(this.topicOf(topic), (open) => {
      let starts: Int32Array | undefined
      contents.unfinished(header, (owner, index, isDeferred) => {
        if (isDeferred && !this.isDeferredDue) return
        starts ??= frameStarts(frames, header.count)
        const frame = Buffer.from(frames.subarray(starts[index], starts[index + 1]))
        const attempts = owner.attempts.get(header.first + index)
        if (attempts !== undefined) setAttempts(frame, 0, attempts)
        let gathered = open.gathered.get(owner)
        if (gathered === undefined) open.gathered.set(owner, gathered = { owner, frames: [] })
        gathered.frames.push(frame)
        open.bytes += frame.length
      })
      return open.bytes < gatheredBytes ? Effect.void : this.writeGathered(open)
    })
  }

  queued(name: string, run: RecordRun): Effect.Effect<void, StorageError> {
    return Effect.flatMap(this.topicOf(name.split(":", 1)[0] ?? name), (open) => this.write(open, name, run))
  }

  /** Writes the rest and closes the queues durably. */
  get close(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const { open } = this
      this.open = undefined
      if (open === undefined) return Effect.void
      return Effect.andThen(this.writeGathered(open), Scope.close(open.scope, Exit.void)).pipe(
        Effect.onError(() => Scope.close(open.scope, Exit.void)),
        Effect.provideService(DaemonState, this.state),
        Effect.provideService(References.MinimumLogLevel, "Warn")
      )
    })
  }

  private topicOf(topic: string): Effect.Effect<OpenTopic, StorageError> {
    return Effect.suspend(() => {
      if (this.open?.topic === topic) return Effect.succeed(this.open)
      return Effect.andThen(
        this.close,
        Effect.map(Scope.make(), (scope) =>
          this.open = { topic, scope, queues: new Map(), gathered: new Map(), bytes: 0 })
      )
    })
  }

  private writeGathered(open: OpenTopic): Effect.Effect<void, StorageError> {
    return Effect.gen({ self: this }, function*() {
      for (const { frames, owner } of open.gathered.values()) {
        const batch = MessageBatch.ofFrames(
          Buffer.concat(frames),
          frames.length,
          undefined,
          frames.some((frame) => hasHeadersAt(frame, 0))
        )
        const name = owner.channel === undefined ? open.topic : `${open.topic}:${owner.channel}`
        yield* this.write(open, name, batch.encodeRecords(0, batch.count))
      }
      open.gathered.clear()
      open.bytes = 0
    })
  }

  private write(open: OpenTopic, name: string, run: RecordRun): Effect.Effect<void, StorageError> {
    return Effect.gen({ self: this }, function*() {
      let queue = open.queues.get(name)
      if (queue === undefined) {
        const inventory = fromNames(name, this.names.get(name) ?? [])
        queue = yield* Scope.provide(
          DiskQueue.open(name, this.disk, this.options, inventory, this.host),
          open.scope
        )
        open.queues.set(name, queue)
      }
      yield* queue.append([run])
    })
  }
}
