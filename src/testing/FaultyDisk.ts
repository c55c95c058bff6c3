/**
 * A disk in memory that fails on demand and can lose power, for tests of what happens to messages. A failed write leaves half
 * of its bytes behind, as on real disks, or none after `EROFS`; a power loss discards bytes without a sync, or some of them.
 */
import { Context, Effect, Latch, Layer, Result } from "effect"
import { Disk, DiskError, type DiskFile } from "../services/nsqd/disk/Disk.ts"

/**
 * The operations that can fail. `rename` includes replacing a text file.
 *
 * @since 0.1.0
 * @category models
 */
export type DiskOperation = "open" | "read" | "write" | "fsync" | "truncate" | "rename" | "remove" | "list" | "statfs"

/**
 * Returns the error code of an operation, for example `ENOSPC` or `EIO`, or `undefined` to let it succeed.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = (operation: DiskOperation, path: string) => string | undefined

interface StoredFile {
  content: Buffer
  /** The content at the last sync, which survives a power loss. */
  durable: Buffer
}

/**
 * Controls the disk.
 *
 * ```ts
 * const disk = yield* FaultyDisk
 * disk.fail((operation) => operation === "write" ? "ENOSPC" : undefined)
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class FaultyDisk extends Context.Service<FaultyDisk, {
  /** Returns the files on the disk by path. */
  readonly files: () => ReadonlyMap<string, Buffer>
  /** Creates a file that is already synced. */
  readonly put: (path: string, content: Uint8Array | string) => void
  /** Sets the fault for every later operation; `undefined` lets all succeed. */
  readonly fail: (fault: Fault | undefined) => void
  /** Holds syncs from now on, until the returned Effect runs. */
  readonly holdSyncs: Effect.Effect<Effect.Effect<void>>
  /** Sets the capacity for all files in bytes; 0 for no limit. */
  readonly resize: (capacity: number) => void
  /** Resets files to their last sync, plus the first `kept` bytes appended since. */
  readonly losePower: (kept: number) => void
}>()("effect-nsq/testing/FaultyDisk") {
  /** An empty disk without faults. */
  static readonly layer: Layer.Layer<Disk | FaultyDisk> = Layer.effectContext(Effect.sync(() => {
    const files = new Map<string, StoredFile>()
    const directories = new Set<string>()
    let fault: Fault | undefined
    const syncing = Latch.makeUnsafe(true)
    /** 0 for a disk without limit, which does not report its size. */
    let capacity = 0

    const used = (): number => {
      let sum = 0
      for (const { content } of files.values()) sum += content.length
      return sum
    }

    /** Returns how many of `bytes` fit if they make the file larger by `growth`. */
    const fitting = (bytes: number, growth: number): number =>
      capacity === 0 || growth <= 0 ? bytes : Math.max(0, Math.min(bytes, bytes - growth + capacity - used()))

    const full = (operation: DiskOperation, path: string) =>
      new DiskError({ operation, path, code: "ENOSPC", text: texts.get("ENOSPC") ?? "ENOSPC" })

    const failureOf = (operation: DiskOperation, path: string): DiskError | undefined => {
      const code = fault?.(operation, path)
      return code === undefined ? undefined : new DiskError({ operation, path, code, text: texts.get(code) ?? code })
    }

    /** Runs an operation unless it fails. */
    const attempt = <A>(operation: DiskOperation, path: string, run: () => A): Effect.Effect<A, DiskError> =>
      Effect.suspend(() => {
        const failure = failureOf(operation, path)
        return failure === undefined ? Effect.sync(run) : Effect.fail(failure)
      })

    const writeAt = (file: StoredFile, bytes: Uint8Array, position: number): void => {
      const size = Math.max(file.content.length, position + bytes.length)
      const content = Buffer.alloc(size)
      file.content.copy(content)
      content.set(bytes, position)
      file.content = content
    }

    const open = (path: string, file: StoredFile): DiskFile => ({
      read: (buffer, position) => attempt("read", path, () => file.content.subarray(position).copy(buffer)),
      write: (buffers, position) =>
        Effect.suspend(() => {
          const bytes = Buffer.concat(buffers)
          const fits = fitting(bytes.length, position + bytes.length - file.content.length)
          const failure = failureOf("write", path)
          const written = failure === undefined
            ? fits
            : failure.code === "EROFS"
            ? 0
            : Math.min(fits, bytes.length >> 1)
          writeAt(file, bytes.subarray(0, written), position)
          if (failure !== undefined) return Effect.fail(failure)
          return fits < bytes.length ? Effect.fail(full("write", path)) : Effect.void
        }),
      sync: syncing.whenOpen(attempt("fsync", path, () => void (file.durable = file.content))),
      truncate: (size) =>
        attempt("truncate", path, () => {
          file.content = file.content.subarray(0, size)
        }),
      size: Effect.sync(() => file.content.length),
      close: Effect.void
    })

    const missing = (operation: DiskOperation, path: string) =>
      new DiskError({ operation, path, code: "ENOENT", text: "no such file or directory" })

    const openExisting = (path: string): Effect.Effect<DiskFile, DiskError> =>
      Effect.suspend(() => {
        const file = files.get(path)
        const failure = failureOf("open", path) ?? (file === undefined ? missing("open", path) : undefined)
        return file === undefined || failure !== undefined
          ? Effect.fail(failure ?? missing("open", path))
          : Effect.succeed(open(path, file))
      })

    const create = (path: string): Effect.Effect<DiskFile, DiskError> =>
      attempt("open", path, () => {
        const file = files.get(path) ?? { content: Buffer.alloc(0), durable: Buffer.alloc(0) }
        files.set(path, file)
        return open(path, file)
      })

    const disk = Disk.of({
      open: openExisting,
      openExisting,
      create,
      openDurable: (path) =>
        Effect.map(openExisting(path), (file) => ({
          ...file,
          write: (buffers, position) => Effect.andThen(file.write(buffers, position), file.sync)
        })),
      makeDirectory: (path) => attempt("open", path, () => void directories.add(path)),
      removeDirectory: (path) => attempt("remove", path, () => void directories.delete(path)),
      rename: (from, to) =>
        Effect.suspend(() => {
          const file = files.get(from)
          const failure = failureOf("rename", from)
          if (file === undefined || failure !== undefined) return Effect.fail(failure ?? missing("rename", from))
          files.delete(from)
          files.set(to, file)
          return Effect.void
        }),
      remove: (path) => attempt("remove", path, () => void files.delete(path)),
      list: (directory) =>
        attempt(
          "list",
          directory,
          () =>
            [...files.keys(), ...directories].flatMap((path) => {
              const name = path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : ""
              return name === "" || name.includes("/") ? [] : [name]
            })
        ),
      // The size alone is available without opening the file.
      readStart: (path, maxBytes) => {
        const content = files.get(path)?.content
        if (content === undefined) return Result.succeed(undefined)
        const failure = maxBytes === 0 ? undefined : failureOf("open", path) ?? failureOf("read", path)
        if (failure !== undefined) return Result.fail(failure)
        return Result.succeed({ bytes: Buffer.from(content.subarray(0, maxBytes)), size: content.length })
      },
      readText: (path) => attempt("read", path, () => files.get(path)?.content.toString()),
      writeText: (path, text) =>
        Effect.suspend(() => {
          const content = Buffer.from(text)
          // The old text stays until the new one is complete.
          const failure = failureOf("rename", path) ??
            (fitting(content.length, content.length) < content.length ? full("write", path) : undefined)
          if (failure !== undefined) return Effect.fail(failure)
          files.set(path, { content, durable: content })
          return Effect.void
        }),
      space: (directory) =>
        attempt("statfs", directory, () => ({ free: Math.max(0, capacity - used()), total: capacity })),
      syncDirectory: (directory) => attempt("fsync", directory, () => {})
    })

    return Context.make(Disk, disk).pipe(Context.add(
      FaultyDisk,
      FaultyDisk.of({
        files: () => new Map(Array.from(files, ([path, { content }]) => [path, content])),
        put: (path, content) => {
          const bytes = Buffer.from(content)
          files.set(path, { content: bytes, durable: bytes })
        },
        fail: (next) => void (fault = next),
        holdSyncs: Effect.as(syncing.close, Effect.asVoid(syncing.open)),
        resize: (next) => void (capacity = next),
        losePower: (kept) => {
          for (const file of files.values()) {
            const { durable } = file
            file.content = Buffer.concat([durable, file.content.subarray(durable.length, durable.length + kept)])
            // What is there at the next start is on the disk.
            file.durable = file.content
          }
        }
      })
    ))
  }))
}

const texts = new Map([
  ["ENOSPC", "no space left on device"],
  ["EIO", "input/output error"],
  ["EACCES", "permission denied"],
  ["EROFS", "read-only file system"]
])
