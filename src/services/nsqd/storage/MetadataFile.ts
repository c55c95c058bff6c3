/**
 * `nsqd.dat` and its journal (docs/protocol/files.md#nsqddat, docs/protocol/files.md#journal). The file is replaced
 * as a whole and durably. A creation waits only for a line in the journal, which survives the end of the process;
 * nsqd.dat follows soon after.
 */
import { Effect, Result, Semaphore } from "effect"
import * as Path from "node:path"
import { crc32 } from "node:zlib"
import { createdSince, encodeCreated, encodeSaved, journalFileName } from "../../../protocol/storage/MetadataJournal.ts"
import {
  decodeNsqdMetadata,
  encodeNsqdMetadataInSteps,
  type NsqdMetadata
} from "../../../protocol/storage/NsqdMetadata.ts"
import { finish, type Turns } from "../../core/Turns.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"
import type { StorageHealth } from "./StorageHealth.ts"

/** A longer journal starts anew once nsqd.dat contains all of it. */
const journalBytes = 64 * 1024

export class MetadataFile {
  readonly path: string
  private readonly disk: Disk["Service"]
  private readonly turns: Turns
  private readonly health: StorageHealth
  private readonly directory: string
  private readonly journalPath: string
  private journal: DiskFile | undefined
  /** The position of the next line; after a failed write, the end of the previous line. */
  private length = 0
  /** Whether the file has invalid bytes after `length`. */
  private isTorn = false
  /** Journal positions of creations that are not registered yet: no metadata contains them. */
  private readonly unregistered = new Set<number>()
  private lastCreated = -1
  private readonly appending = Semaphore.makeUnsafe(1)
  private readonly saving = Semaphore.makeUnsafe(1)

  constructor(disk: Disk["Service"], dataPath: string, turns: Turns, health: StorageHealth) {
    this.disk = disk
    this.turns = turns
    this.health = health
    this.directory = dataPath === "" ? "." : dataPath
    this.path = Path.join(dataPath, "nsqd.dat")
    this.journalPath = Path.join(dataPath, journalFileName)
  }

  /** The content of nsqd.dat and the creations since; `undefined` if nsqd.dat does not exist. */
  readonly load: Effect.Effect<NsqdMetadata | undefined, StorageError> = Effect.gen({ self: this }, function*() {
    const text = yield* Effect.mapError(this.disk.readText(this.path), StorageError.fromDisk)
    const journal = (yield* Effect.mapError(this.disk.readText(this.journalPath), StorageError.fromDisk)) ?? ""
    // Other bytes than ASCII were left by a loss of power: positions would not match, so a new journal begins.
    const isWhole = /^[\n -~]*$/.test(journal)
    this.length = isWhole ? journal.lastIndexOf("\n") + 1 : 0
    this.isTorn = journal.length > this.length
    if (text === undefined) return undefined
    const metadata = decodeNsqdMetadata(text)
    if (Result.isFailure(metadata)) {
      const description = `failed to parse metadata in ${this.path} - ${metadata.failure.message}`
      return yield* new StorageError({ reason: StorageErrorReason.InvalidMetadata({ description }) })
    }
    const created = createdSince(journal, crc32(text)).map((queue) => {
      const [name = "", channel] = queue.split(":", 2)
      return { name, paused: false, channels: channel === undefined ? null : [{ name: channel, paused: false }] }
    })
    return created.length === 0
      ? metadata.success
      : { ...metadata.success, topics: [...metadata.success.topics ?? [], ...created] }
  })

  /** Records the creation of a topic or channel, then registers it so that `save` includes it. */
  create<A, E, R>(queue: string, register: Effect.Effect<A, E, R>): Effect.Effect<A, E | StorageError, R> {
    let at = -1
    const record = this.append(encodeCreated(queue), (position) => {
      at = position
      this.unregistered.add(position)
      this.lastCreated = position
    })
    return Effect.ensuring(
      Effect.andThen(Effect.mapError(record, StorageError.fromDisk), register),
      Effect.sync(() => this.unregistered.delete(at))
    )
  }

  /** Replaces nsqd.dat by the current metadata. */
  save(current: () => NsqdMetadata): Effect.Effect<void, StorageError> {
    return this.saving.withPermit(Effect.gen({ self: this }, function*() {
      const position = Math.min(this.length, ...this.unregistered)
      // Encoding takes several turns; creations meanwhile are in the journal after the position.
      const text = yield* finish(this.turns, encodeNsqdMetadataInSteps(current()))
      const checksum = crc32(text)
      yield* this.append(encodeSaved(checksum, position))
      yield* this.noted(
        this.path,
        Effect.andThen(this.disk.writeText(this.path, text), this.disk.syncDirectory(this.directory))
      )
      yield* this.trim(position, checksum)
    })).pipe(Effect.mapError(StorageError.fromDisk), Effect.uninterruptible)
  }

  private append(line: string, placed: (position: number) => void = () => {}): Effect.Effect<void, DiskError> {
    return this.appending.withPermit(this.noted(
      this.journalPath,
      Effect.gen({ self: this }, function*() {
        this.journal ??= yield* this.disk.create(this.journalPath)
        if (this.isTorn) yield* this.journal.truncate(this.length)
        this.isTorn = true
        yield* this.journal.write([Buffer.from(line)], this.length)
        this.isTorn = false
        placed(this.length)
        this.length += line.length
      })
    )).pipe(Effect.uninterruptible)
  }

  private noted<A>(path: string, effect: Effect.Effect<A, DiskError>): Effect.Effect<A, DiskError> {
    return effect.pipe(
      Effect.tapError((error) => Effect.sync(() => this.health.note(path, error))),
      Effect.tap(() => Effect.sync(() => this.health.note(path, undefined)))
    )
  }

  /** Starts a new journal once nsqd.dat contains the old one. An empty journal adds nothing to any nsqd.dat. */
  private trim(position: number, checksum: number): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      if (this.length < journalBytes || this.lastCreated >= position || this.unregistered.size > 0) return Effect.void
      this.length = 0
      this.isTorn = true
      this.lastCreated = -1
      return this.append(encodeSaved(checksum, 0))
    })
  }
}
