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
  LogStateEncoder,
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
  /** The newest generation; 0 if there is none. */
  readonly generation: number
  /** What cannot be read of the files. */
  readonly damage: ReadonlyArray<string>
}

/** Encodes the whole state. */
export type EncodeState = (out: LogStateChanges) => void

export class StateFile {
  private readonly disk: Disk["Service"]
  private readonly directory: string
  private readonly isSynced: boolean
  private generation: number
  private file: DiskFile | undefined
  private size = 0
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
      const followers: Array<Buffer> = []
      for (const generation of generations) {
        const path = Path.join(directory, stateFileName(generation))
        const bytes = yield* readAll(disk, path)
        const first = readStateBlock(bytes, 0)
        if (first?.kind === "checkpoint") {
          const state = new RecoveredState()
          applyBlocks(bytes, 0, state)
          // Newer files whose checkpoint cannot be read have changes of what this file contains.
          for (const newer of followers) applyBlocks(newer, 1, state)
          return { state, generation: generations[0] ?? 0, damage }
        }
        damage.push(`${path} has no valid checkpoint`)
        followers.unshift(bytes)
      }
      return { state: new RecoveredState(), generation: generations[0] ?? 0, damage }
    })
  }

  /** Whether the next write has to be a checkpoint. */
  get needsCheckpoint(): boolean {
    return this.file === undefined || this.size > 2 * this.checkpointSize + slackBytes
  }

  /** Appends changes. After a failure, the next write has to be a checkpoint. */
  append(changes: Buffer): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { file } = this
      if (file === undefined) return Effect.void
      const buffers = [encodeStateHeader("changes", changes), changes]
      return file.write(buffers, this.size).pipe(
        Effect.tap(() => Effect.sync(() => void (this.size += stateHeaderSize + changes.length))),
        Effect.onError(() => this.close)
      )
    })
  }

  /** Starts the next generation with the whole state, and removes the one before the last. */
  checkpoint(encode: EncodeState): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.close
      const generation = this.generation + 1
      const path = Path.join(this.directory, stateFileName(generation))
      const temporary = `${path}.tmp`
      const encoder = new LogStateEncoder()
      encode(encoder)
      const { encoded } = encoder
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
      yield* Effect.ignore(this.disk.remove(Path.join(this.directory, stateFileName(generation - 2))))
    })
  }

  /** Completes when all changes are durable. */
  get sync(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() =>
      this.file === undefined || this.isSynced ? Effect.void : Effect.onError(this.file.sync, () => this.close)
    )
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
 * Passes the changes of all valid blocks from `from` on. Changes do not depend on the ones before, so that a damaged block does
 * not make those behind it useless: what only it has recorded as finished is delivered again.
 */
const applyBlocks = (bytes: Buffer, from: number, state: LogStateChanges): void => {
  for (let at = from; at >= 0;) {
    const block = readStateBlock(bytes, at)
    if (block !== undefined) decodeLogState(block.changes, state)
    at = block?.end ?? findStateBlock(bytes, at + 1)
  }
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
