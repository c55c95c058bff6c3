/**
 * The files with the state of a log's channels (docs/protocol/files.md#state-of-the-channels). Changes are appended to the
 * newest file. When it has become long, or a write has failed, a new file begins with a checkpoint of the whole state; the one
 * before it stays until the next, in case that the checkpoint cannot be read.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { parseLogFileName, stateFileName } from "../../../protocol/storage/LogFiles.ts"
import {
  decodeLogState,
  encodeStateHeader,
  findStateBlock,
  type LogStateChanges,
  readStateBlock,
  stateHeaderSize
} from "../../../protocol/storage/LogState.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import { RecoveredState } from "./RecoveredState.ts"

/** A file of changes may be this much longer than two checkpoints, in bytes. */
const slackBytes = 1024 * 1024

/** What the state files of a log contain. */
export interface LoadedState {
  readonly state: RecoveredState
  /** The newest generation; 0 if the log has no state file. */
  readonly generation: number
  /** What cannot be read of the files. */
  readonly damage: ReadonlyArray<string>
  /** Whether changes are missing that were recorded: more than the incomplete end that a crash leaves. */
  readonly isIncomplete: boolean
}

export class StateFile {
  private readonly disk: Disk["Service"]
  private readonly directory: string
  private readonly isSynced: boolean
  private generation: number
  private file: DiskFile | undefined
  private size = 0
  private unsynced = false
  private checkpointSize = 0

  /** `generation` is the newest one that exists. With `isSynced` changes are durable when they are written. */
  constructor(disk: Disk["Service"], directory: string, isSynced: boolean, generation: number) {
    this.disk = disk
    this.directory = directory
    this.isSynced = isSynced
    this.generation = generation
  }

  /** Reads the state that the files of `names` contain. */
  static load(
    disk: Disk["Service"],
    directory: string,
    names: ReadonlyArray<string>
  ): Effect.Effect<LoadedState, DiskError> {
    return Effect.gen(function*() {
      const generations = names.flatMap((name) => {
        const file = parseLogFileName(name)
        return file?.kind === "state" ? [file.number] : []
      }).sort((a, b) => b - a)
      const damage: Array<string> = []
      const files: Array<Buffer> = []
      let hasCheckpoint = false
      for (const generation of generations) {
        const path = Path.join(directory, stateFileName(generation))
        const bytes = yield* readAll(disk, path)
        files.unshift(bytes)
        hasCheckpoint = readStateBlock(bytes, 0)?.kind === "checkpoint"
        if (hasCheckpoint) break
        damage.push(`${path} has no valid checkpoint`)
      }
      const state = new RecoveredState()
      let hasHoles = false
      // Files whose checkpoint cannot be read have changes of what the file before contains.
      files.forEach((bytes, index) => {
        const path = Path.join(directory, stateFileName(generations[files.length - 1 - index]!))
        for (const { from, to } of applyBlocks(bytes, state)) {
          damage.push(`${path} cannot be read from ${from} to ${to}`)
          hasHoles ||= to < bytes.length
        }
      })
      const isIncomplete = generations.length > 0 && (!hasCheckpoint || hasHoles || files.length > 1)
      return { state, generation: generations[0] ?? 0, damage, isIncomplete }
    })
  }

  /** Whether the next write has to be a checkpoint. */
  get needsCheckpoint(): boolean {
    return this.file === undefined || this.size > 2 * this.checkpointSize + slackBytes
  }

  /** Whether something was written since the last sync that is not durable. */
  get isUnsynced(): boolean {
    return this.unsynced
  }

  /** Appends changes; `needsCheckpoint` must be false. After a failure, the next write has to be a checkpoint. */
  append(changes: Buffer): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { file } = this
      if (file === undefined) return Effect.die(new Error("invariant: changes follow a checkpoint"))
      const buffers = [encodeStateHeader("changes", changes), changes]
      this.unsynced = !this.isSynced
      return file.write(buffers, this.size).pipe(
        Effect.tap(() => Effect.sync(() => void (this.size += stateHeaderSize + changes.length))),
        Effect.onError(() => this.close)
      )
    })
  }

  /** Starts the next generation with the whole state, and removes the one before the last. */
  checkpoint(encoded: Buffer): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.close
      const generation = this.generation + 1
      const path = Path.join(this.directory, stateFileName(generation))
      const temporary = `${path}.tmp`
      const file = yield* this.disk.create(temporary)
      yield* Effect.ensuring(
        file.truncate(0).pipe(
          Effect.andThen(file.write([encodeStateHeader("checkpoint", encoded), encoded], 0)),
          Effect.andThen(file.sync)
        ),
        file.close
      )
      yield* this.disk.rename(temporary, path)
      yield* this.disk.syncDirectory(this.directory)
      this.file = yield* this.isSynced ? this.disk.openDurable(path) : this.disk.openExisting(path)
      this.generation = generation
      this.size = stateHeaderSize + encoded.length
      this.checkpointSize = this.size
      this.unsynced = false
      yield* Effect.ignore(this.disk.remove(Path.join(this.directory, stateFileName(generation - 2))))
    })
  }

  /** Completes when all changes are durable. After a failure, the next write has to be a checkpoint. */
  get sync(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { file } = this
      if (file === undefined || !this.unsynced) return Effect.void
      this.unsynced = false
      return Effect.onError(file.sync, () => this.close)
    })
  }

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { file } = this
      this.file = undefined
      return file === undefined ? Effect.void : file.close
    })
  }
}

/**
 * Passes the changes of all valid blocks, and returns the ranges without valid blocks. Changes do not depend on the ones
 * before, so that a damaged block does not make those behind it useless: what only it has recorded as finished is delivered
 * again.
 */
const applyBlocks = (
  bytes: Buffer,
  state: LogStateChanges
): ReadonlyArray<{ readonly from: number; readonly to: number }> => {
  const holes: Array<{ readonly from: number; readonly to: number }> = []
  for (let at = 0; at < bytes.length;) {
    const block = readStateBlock(bytes, at)
    if (block !== undefined && decodeLogState(block.changes, state)) {
      at = block.end
      continue
    }
    const next = findStateBlock(bytes, at + 1)
    const to = next < 0 ? bytes.length : next
    holes.push({ from: at, to })
    at = to
  }
  return holes
}

/** The content of a file. */
const readAll = (disk: Disk["Service"], path: string): Effect.Effect<Buffer, DiskError> =>
  Effect.acquireUseRelease(
    disk.open(path),
    (file) =>
      Effect.gen(function*() {
        const size = yield* file.size
        const bytes = Buffer.allocUnsafeSlow(size)
        return bytes.subarray(0, yield* file.read(bytes, 0))
      }),
    (file) => file.close
  )
