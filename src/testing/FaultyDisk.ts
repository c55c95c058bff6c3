/**
 * A disk in memory that fails on demand, crashes at any operation and loses power, for tests of what happens to messages. A
 * power loss leaves what a real disk may leave of what was not synced.
 */
import { Context, Effect, Layer, Result } from "effect"
import { Disk } from "../services/nsqd/disk/Disk.ts"
import * as Fate from "./disk/Fate.ts"
import type { Fault } from "./disk/Machine.ts"
import * as MemoryDisk from "./disk/MemoryDisk.ts"
import { PagedFile } from "./disk/PagedFile.ts"

export type { DiskOperation, Fault, ShortWrite } from "./disk/Machine.ts"

/**
 * Controls the disk.
 *
 * ```ts
 * const disk = yield* FaultyDisk
 * disk.crashAt(7, seed)
 * yield* Effect.exit(Effect.scoped(useTheDisk)) // all operations from the seventh on fail with ECRASHED
 * disk.losePower(seed)
 * yield* useTheDisk // over the files that survive
 * ```
 *
 * Directories exist without being made, except for those that `makeDirectory` has made or `removeDirectory` has removed.
 *
 * @since 0.1.0
 * @category services
 */
export class FaultyDisk extends Context.Service<FaultyDisk, {
  /** Returns copies of the files on the disk by path, as programs see them: with what is not synced. */
  readonly files: () => ReadonlyMap<string, Buffer>
  /**
   * Returns the disk of a process that starts now: after the next `kill` or `losePower` all its operations fail with `ECRASHED`, also
   * while a later process uses the disk. The `Disk` of the Layer has no such end.
   */
  readonly process: () => Disk["Service"]
  /** Creates a file that is already synced, with its directory entry. */
  readonly put: (path: string, content: Uint8Array | string) => void
  /**
   * Sets the fault for every later operation; `undefined` lets all succeed. After a failed sync, reads still return what was
   * written and later syncs succeed, but pages that are not written again do not survive a power loss, as on Linux.
   */
  readonly fail: (fault: Fault | undefined) => void
  /**
   * Fails reads of a part of the bytes `from` to `to` of an existing file with `EIO`, until the returned function is called.
   * Dies if the file does not exist.
   */
  readonly failReads: (path: string, from: number, to: number) => () => void
  /** Flips the bit `bit` (0 to 7, default 0) of the byte at `position` of a file. Dies if the byte does not exist. */
  readonly flipBit: (path: string, position: number, bit?: number) => void
  /**
   * Holds syncs and durable writes from now on, until the returned Effect runs or the machine stops. A held sync makes durable
   * what was written before it began.
   */
  readonly holdSyncs: Effect.Effect<Effect.Effect<void>>
  /** Sets the capacity for all files in bytes; 0 for no limit. */
  readonly resize: (capacity: number) => void
  /** Sets the maximum number of open files, beyond which opening fails with `EMFILE`. Default: `Infinity`. */
  readonly limitOpenFiles: (limit: number) => void
  /** Returns the number of open files. */
  readonly openFiles: () => number
  /** Returns the number of operations so far. Closing a file and its size do not count; a durable write counts once. */
  readonly operations: () => number
  /**
   * Stops the machine at the `operation`th operation from now; 0 stops it at once. This operation and all later ones fail with
   * the code `ECRASHED`, so that programs can be closed without effect on the disk. A write in progress is cut at any byte,
   * another operation in progress takes effect or not, as the seed decides; without a seed it has no effect. `kill` or
   * `losePower` starts the machine again.
   */
  readonly crashAt: (operation: number, seed?: number) => void
  /** Whether the machine has stopped: ignore what programs do while it has. */
  readonly isCrashed: () => boolean
  /** Completes when the machine has stopped. */
  readonly crashed: Effect.Effect<void>
  /**
   * Kills the processes and starts the machine: everything written is there, synced or not, and may still be lost with the
   * power. Files that were open fail with `ECRASHED`.
   */
  readonly kill: () => void
  /**
   * Turns the power off and on. Synced bytes and entries of synced directories survive. Of the rest the seed chooses:
   *
   * - each 4096-byte page of a file has a content that it had at or since the last sync of the file, in any combination;
   * - torn pages have such contents for each sector of 512 bytes;
   * - a file has a size that it had at or since its last sync, and is zero where no page survives;
   * - creations, renames and removals since the directory's last `syncDirectory` survive or not, each as a whole. Those of one
   *   name survive only with the earlier ones of that name.
   *
   * Without a seed nothing of it survives. What is there afterwards is durable. Files that were open fail with `ECRASHED`.
   */
  readonly losePower: (seed?: number) => void
}>()("effect-nsq/testing/FaultyDisk") {
  /** An empty disk without faults. */
  static readonly layer: Layer.Layer<Disk | FaultyDisk> = Layer.effectContext(Effect.sync(() => {
    const world = MemoryDisk.makeWorld()
    const { machine, tree } = world
    const fileAt = (path: string): PagedFile =>
      Result.getOrThrowWith(tree.file(path), (code) => new Error(`cannot damage ${path}: ${code}`))
    return Context.make(Disk, MemoryDisk.make(world)).pipe(Context.add(
      FaultyDisk,
      FaultyDisk.of({
        files: () => new Map(Array.from(tree.files(), ([path, file]) => [path, file.content()])),
        process: () => MemoryDisk.make(world, machine.boots),
        put: (path, content) => tree.put(path, PagedFile.from(Buffer.from(content))),
        fail: (fault) => void (machine.fault = fault),
        failReads: (path, from, to) => fileAt(path).failReads(from, to),
        flipBit: (path, position, bit = 0) => fileAt(path).flipBit(position, bit),
        holdSyncs: Effect.as(machine.syncs.close, Effect.asVoid(machine.syncs.open)),
        resize: (capacity) => void (world.capacity = capacity),
        limitOpenFiles: (limit) => void (machine.maxOpen = limit),
        openFiles: () => machine.open,
        operations: () => machine.operations,
        crashAt: (operation, seed) => machine.crashAt(operation, Fate.make(seed)),
        isCrashed: () => machine.isStopped,
        crashed: machine.stopped.await,
        kill: () => machine.start(),
        losePower: (seed) => {
          machine.start()
          tree.losePower(Fate.make(seed))
        }
      })
    ))
  }))
}
