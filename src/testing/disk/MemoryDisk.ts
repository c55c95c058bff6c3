/**
 * The operations of Disk over directories and files in memory.
 */
import { Effect, Result } from "effect"
import { Disk, type DiskError, type DiskFile } from "../../services/nsqd/disk/Disk.ts"
import { DirectoryTree } from "./DirectoryTree.ts"
import * as Machine from "./Machine.ts"
import type { Changes, PagedFile } from "./PagedFile.ts"

type Mode = "read" | "write" | "durable"

/** Everything on one disk. */
export interface World {
  readonly tree: DirectoryTree
  readonly machine: Machine.Machine
  /** In bytes; 0 for a disk without limit, which does not report its size. */
  capacity: number
}

/** An empty disk without faults. */
export const makeWorld = (): World => ({ tree: new DirectoryTree(), machine: new Machine.Machine(), capacity: 0 })

const used = ({ tree }: World): number => {
  let sum = 0
  for (const [, file] of tree.files()) sum += file.size
  return sum
}

/** The number of bytes that fit when a write of `bytes` makes a file larger by `growth`. */
const fitting = (world: World, bytes: number, growth: number): number =>
  world.capacity === 0 || growth <= 0
    ? bytes
    : Math.max(0, Math.min(bytes, bytes - growth + world.capacity - used(world)))

/** Half of the bytes, as on real disks; none on a read-only file system. */
const writtenBefore = (fault: string | Machine.ShortWrite, size: number): number =>
  typeof fault !== "string" ? Math.min(fault.written, size) : fault === "EROFS" ? 0 : size >> 1

const openFile = (world: World, path: string, file: PagedFile, mode: Mode): DiskFile => {
  const { machine } = world
  const { boots } = machine
  let isOpen = true
  machine.open++

  /** Runs an operation, unless the file is closed. */
  const attempt = <A>(
    operation: Machine.DiskOperation,
    action: Machine.Action<A>
  ): Result.Result<A, DiskError> =>
    boots !== machine.boots
      ? Result.fail(Machine.error(operation, path, Machine.crashCode))
      : isOpen
      ? machine.perform(operation, path, action)
      : Result.fail(Machine.error(operation, path, "EBADF"))

  const writable = <A>(run: () => Result.Result<A, string>) => (): Result.Result<A, string> =>
    mode === "read" ? Result.fail("EBADF") : run()

  const writing = (bytes: Uint8Array, position: number): Machine.Action<void> => {
    const fits = () => fitting(world, bytes.length, position + bytes.length - file.size)
    const writeStart = (count: number) => {
      const size = Math.min(count, fits())
      file.write(bytes.subarray(0, size), position)
      return size
    }
    return {
      run: writable(() => writeStart(bytes.length) < bytes.length ? Result.fail("ENOSPC") : Result.succeed(undefined)),
      interrupted: (fate) => void (mode !== "read" && writeStart(fate.cut(bytes.length))),
      failed: (fault) => void (mode !== "read" && writeStart(writtenBefore(fault, bytes.length)))
    }
  }

  const syncing = (changes: Changes): Machine.Action<void> => ({
    run: () => Result.succeed(file.completeSync(changes)),
    failed: () => file.failSync(changes)
  })

  const write = (buffers: ReadonlyArray<Uint8Array>, position: number): Effect.Effect<void, DiskError> =>
    Effect.suspend(() => {
      const bytes = Buffer.concat(buffers)
      const written = attempt("write", writing(bytes, position))
      if (mode !== "durable") return Effect.fromResult(written)
      const changes = file.beginSync(position, position + bytes.length)
      if (Result.isFailure(written)) {
        if (!machine.isStopped) file.failSync(changes)
        return Effect.fail(written.failure)
      }
      // Part of the same operation, which therefore does not count.
      return machine.syncs.whenOpen(Effect.suspend(() => {
        const fault = machine.isStopped || boots !== machine.boots ? Machine.crashCode : machine.fault?.("fsync", path)
        if (fault === undefined) return Effect.sync(() => file.completeSync(changes))
        if (fault !== Machine.crashCode) file.failSync(changes)
        return Effect.fail(Machine.error("write", path, typeof fault === "string" ? fault : fault.code))
      }))
    })

  return {
    read: (buffer, position) =>
      Effect.suspend(() =>
        Effect.fromResult(attempt("read", {
          run: () => {
            const count = file.read(buffer, position)
            return count === undefined ? Result.fail("EIO") : Result.succeed(count)
          }
        }))
      ),
    write,
    sync: Effect.suspend(() => {
      const changes = file.beginSync()
      return machine.syncs.whenOpen(Effect.suspend(() => Effect.fromResult(attempt("fsync", syncing(changes)))))
    }),
    truncate: (size) =>
      Effect.suspend(() =>
        Effect.fromResult(attempt("truncate", { run: writable(() => Result.succeed(file.truncate(size))) }))
      ),
    size: Effect.suspend(() =>
      machine.isStopped || boots !== machine.boots
        ? Effect.fail(Machine.error("stat", path, Machine.crashCode))
        : Effect.succeed(file.size)
    ),
    close: Effect.sync(() => {
      if (isOpen && boots === machine.boots) machine.open--
      isOpen = false
    })
  }
}

/**
 * The disk of a world. With the number of a start, `machine.boots`, it is the disk of the processes that run since then: they do
 * not outlive the next start.
 */
export const make = (world: World, boots?: number): Disk["Service"] => {
  const { machine, tree } = world
  /** Numbers the temporary files of `writeText`. */
  let temporaries = 0

  const isOver = (): boolean => boots !== undefined && boots !== machine.boots

  const perform = <A>(operation: Machine.DiskOperation, path: string, run: () => Result.Result<A, string>) =>
    isOver()
      ? Result.fail(Machine.error(operation, path, Machine.crashCode))
      : machine.perform(operation, path, { run })

  const attempt = <A>(operation: Machine.DiskOperation, path: string, run: () => Result.Result<A, string>) =>
    Effect.suspend(() => Effect.fromResult(perform(operation, path, run)))

  /** Runs an operation that needs a descriptor. */
  const opening = <A>(run: () => Result.Result<A, string>) => () => Result.flatMap(machine.descriptors, run)

  const openExisting = (mode: Mode) => (path: string): Effect.Effect<DiskFile, DiskError> =>
    attempt(
      "open",
      path,
      opening(() => Result.map(tree.file(path), (file) => openFile(world, path, file, mode)))
    )

  /** Creates `stored`, which failures name `path`. */
  const create = (path: string, stored = path): Effect.Effect<DiskFile, DiskError> =>
    attempt(
      "open",
      path,
      opening(() => Result.map(tree.create(stored), (file) => openFile(world, path, file, "write")))
    )

  const contentOf = (path: string, maxBytes: number) =>
    Result.flatMap(tree.file(path), (file) => {
      const bytes = Buffer.alloc(Math.min(maxBytes, file.size))
      return file.read(bytes, 0) === undefined ? Result.fail("EIO") : Result.succeed({ bytes, size: file.size })
    })

  return Disk.of({
    open: openExisting("read"),
    openExisting: openExisting("write"),
    openDurable: openExisting("durable"),
    create: (path) => create(path),
    makeDirectory: (path) => attempt("mkdir", path, () => tree.makeDirectory(path)),
    removeDirectory: (path) => attempt("rmdir", path, () => tree.removeDirectory(path)),
    rename: (from, to) => attempt("rename", from, () => tree.rename(from, to)),
    remove: (path) => attempt("remove", path, () => tree.remove(path)),
    list: (directory) => attempt("list", directory, opening(() => tree.list(directory))),
    readStart: (path, maxBytes) => {
      const file = tree.file(path)
      // The size alone is available without opening the file.
      if (maxBytes === 0 && !machine.isStopped && !isOver() && Result.isSuccess(file)) {
        return Result.succeed({ bytes: Buffer.alloc(0), size: file.success.size })
      }
      const opened = perform("open", path, opening(() => Result.map(tree.file(path), () => {})))
      const read = Result.flatMap(opened, () => perform("read", path, () => contentOf(path, maxBytes)))
      return Result.isFailure(read) && read.failure.code === "ENOENT" ? Result.succeed(undefined) : read
    },
    readText: (path) =>
      attempt("read", path, opening(() => contentOf(path, Infinity))).pipe(
        Effect.map(({ bytes }): string | undefined => bytes.toString()),
        Effect.catchIf((error) => error.code === "ENOENT", () => Effect.undefined)
      ),
    writeText: (path, text) =>
      Effect.suspend(() => {
        const temporary = `${path}.${++temporaries}.tmp`
        return Effect.acquireUseRelease(
          create(path, temporary),
          (file) => Effect.andThen(file.write([Buffer.from(text)], 0), file.sync),
          (file) => file.close
        ).pipe(
          Effect.andThen(attempt("rename", path, () => tree.rename(temporary, path))),
          Effect.onError(() => Effect.ignore(attempt("remove", path, () => tree.remove(temporary))))
        )
      }),
    space: (directory) =>
      attempt(
        "statfs",
        directory,
        () => Result.succeed({ free: Math.max(0, world.capacity - used(world)), total: world.capacity })
      ),
    syncDirectory: (directory) => attempt("fsync", directory, opening(() => tree.sync(directory)))
  })
}
