/**
 * The commits of a log. One is written at a time. What is published meanwhile forms the next, so that many publishers share one
 * durable write and a single one waits for no timer.
 */
import { Effect, Exit } from "effect"
import { guidAt, type GuidBlock } from "../../../protocol/client/Guid.ts"
import type { MessageBatch, PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import { inOrder } from "../../core/Completion.ts"
import type { DiskError } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import type { LogDurability } from "../options/Durability.ts"
import { CommitGroup, type Done, type Resume } from "./CommitGroup.ts"
import type { LogBatch } from "./LogBatch.ts"
import type { RecordBuffers } from "./RecordBuffers.ts"
import type { RecordChecksum } from "./RecordChecksum.ts"
import type { SegmentWriter } from "./SegmentWriter.ts"

/** A message id without its node. */
export type IssuedId = Pick<GuidBlock, "unit" | "sequence">

/** The later one of two message ids, of those that exist. */
export const laterId = (a: IssuedId | undefined, b: IssuedId | undefined): IssuedId | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  return a.unit > b.unit || (a.unit === b.unit && a.sequence > b.sequence) ? a : b
}

/** Publishes wait for their turn while this many bytes wait to be committed. */
const waitingBytes = 16 * 1024 * 1024

/** Space in a group for each byte of the larger of the two groups before. */
const groupRoom = 1.25

/** What commits need from their log. */
export interface CommitHost {
  readonly writer: SegmentWriter
  readonly durability: LogDurability
  readonly epoch: number
  readonly buffers: RecordBuffers
  readonly checksum: RecordChecksum
  /** Runs the commits in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** Returns what has to run before the next commit; `undefined` if nothing. */
  readonly beforeCommit: () => Effect.Effect<void, DiskError> | undefined
  /** The messages are stored. */
  readonly stored: (batches: ReadonlyArray<LogBatch>) => Effect.Effect<void>
  /** The messages from `from` up to, but not including, `to` are not stored. */
  readonly lost: (from: number, to: number) => void
  /** A commit has failed. */
  readonly failed: (error: DiskError) => Effect.Effect<void>
  /** Called after each commit. */
  readonly committed: () => void
}

/** A publish that waits for its turn. */
interface Turn {
  readonly add: (group: CommitGroup) => void
  readonly resume: Resume
}

export class LogCommits {
  private readonly host: CommitHost
  private group: CommitGroup
  private lastGroupBytes = 0
  /** The group that is being written, or will be in this turn. */
  private committing: CommitGroup | undefined
  private turns: Array<Turn> = []
  private nextSequence: number
  /** Messages below are durable. */
  private durableTo: number
  private lastId: IssuedId | undefined

  /** The next message has the sequence `end`; those below are durable. */
  constructor(host: CommitHost, end: number, lastId: IssuedId | undefined) {
    this.host = host
    this.group = new CommitGroup(end, 0, host.buffers)
    this.nextSequence = end
    this.durableTo = end
    this.lastId = lastId
  }

  /** The sequence after the last committed message. */
  get end(): number {
    return this.nextSequence
  }
  /** The last message id of an earlier process or of this one; new ids have to be higher. */
  get lastIssued(): IssuedId | undefined {
    return this.lastId
  }
  /** Whether no commit is written or about to be. */
  get isIdle(): boolean {
    return this.committing === undefined
  }

  /** Messages below `end` are durable. */
  noteDurable(end: number): void {
    this.durableTo = Math.max(this.durableTo, end)
  }

  /** See `TopicLog.append`. */
  append(
    bodies: PublishedBodies,
    nanos: bigint,
    ids: GuidBlock,
    due: number,
    done: Done
  ): Effect.Effect<void, StorageError> {
    const { group } = this
    if (this.isFull) return this.waitFor((later) => this.add(later, bodies, nanos, ids, due, done))
    this.add(group, bodies, nanos, ids, due, done)
    return inOrder(this.stored(group))
  }

  /** The sequence of the first message that the next commit writes: the same for messages that are stored together. */
  get openFrom(): number {
    return this.group.first
  }

  /** Calls `done` for the messages that were appended last. */
  afterCommit(done: Done): void {
    this.group.whenDone(done)
  }

  /** See `LogFilling.append`. */
  appendBatch(batch: MessageBatch, nanos: bigint, due: number): Effect.Effect<number, StorageError> {
    let first = 0
    const add = (group: CommitGroup): void => {
      first = group.end
      group.addBatch(batch, nanos, due)
    }
    const { group } = this
    if (this.isFull) return Effect.map(this.waitFor(add), () => first)
    add(group)
    return Effect.as(this.stored(group), first)
  }

  private get isFull(): boolean {
    return this.turns.length > 0 || this.group.bytes >= waitingBytes
  }

  private waitFor(add: (group: CommitGroup) => void): Effect.Effect<void, StorageError> {
    return Effect.callback((resume) => void this.turns.push({ add, resume }))
  }

  private stored(group: CommitGroup): Effect.Effect<void, StorageError> {
    if (this.committing === undefined) {
      this.committing = group
      // Publishes of the same turn share the commit.
      this.host.fork(Effect.andThen(Effect.yieldNow, this.commitAll))
    }
    return completion(group)
  }

  private add(
    group: CommitGroup,
    bodies: PublishedBodies,
    nanos: bigint,
    ids: GuidBlock,
    due: number,
    done: Done
  ): void {
    group.add(bodies, nanos, ids, due)
    group.whenDone(done)
    this.lastId = guidAt(ids, bodies.count - 1)
  }

  private get commitAll(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.group.count > 0) {
        const { group } = this
        this.committing = group
        // Groups often alternate in size: publishers that get the responses of one commit publish while the next is written.
        const expected = Math.ceil(Math.max(this.lastGroupBytes, group.bytes) * groupRoom)
        this.group = new CommitGroup(group.end, expected, this.host.buffers)
        this.lastGroupBytes = group.bytes
        this.takeTurns()
        const written = yield* Effect.exit(this.commit(group))
        this.nextSequence = group.end
        if (Exit.isSuccess(written)) yield* this.host.stored(group.batches)
        else {
          this.host.lost(group.first, group.end)
          yield* Effect.catch(written, (error) => this.host.failed(error))
        }
        // Before the publishers go on: a channel that one of them creates next must not get these messages.
        this.host.committed()
        group.complete(Exit.mapError(written, StorageError.fromDisk))
      }
      this.committing = undefined
    }).pipe(Effect.uninterruptible)
  }

  private commit(group: CommitGroup): Effect.Effect<void, DiskError> {
    const { beforeCommit, checksum, durability, epoch, writer } = this.host
    const durable = durability === "synced" ? this.nextSequence : this.durableTo
    const write = Effect.suspend(() => writer.commit(group.seal(epoch, durable, checksum), group.end))
    const before = beforeCommit()
    return before === undefined ? write : Effect.andThen(before, write)
  }

  /** In their order, before any later publish. */
  private takeTurns(): void {
    let taken = 0
    while (taken < this.turns.length && this.group.bytes < waitingBytes) {
      const { add, resume } = this.turns[taken++]!
      add(this.group)
      this.group.waiting.push(resume)
    }
    if (taken > 0) this.turns = this.turns.slice(taken)
  }

  /** Completes when no commit is written or about to be. */
  get settled(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.committing !== undefined) yield* Effect.exit(completion(this.committing))
    })
  }
}

/** Completes with the group's commit. */
const completion = (group: CommitGroup): Effect.Effect<void, StorageError> =>
  Effect.callback((resume) => {
    if (group.result === undefined) group.waiting.push(resume)
    else resume(group.result)
  })
