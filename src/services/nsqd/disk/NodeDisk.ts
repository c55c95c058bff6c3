/**
 * The Disk over `node:fs`. Every operation except `readStart` runs in Node's thread pool and does not block the
 * broker. A pool limits the queues' open files to a quarter of the process's descriptors.
 */
import { Effect, Layer, Random, Result, Semaphore } from "effect"
import * as Fs from "node:fs"
import { getSystemErrorMessage } from "node:util"
import { Disk, DiskError, type DiskFile, type FileStart } from "./Disk.ts"
import * as FilePool from "./FilePool.ts"

/** Maximum number of buffers of one vectored write (IOV_MAX of Linux). */
const maxVectors = 1024

const diskError = (operation: string, path: string, cause: NodeJS.ErrnoException): DiskError =>
  new DiskError({
    operation,
    path,
    code: cause.code ?? "UNKNOWN",
    text: cause.errno === undefined ? cause.message : getSystemErrorMessage(cause.errno)
  })

type Done<A> = (error: NodeJS.ErrnoException | null, value: A) => void

/** A call of `node:fs` as an Effect. Not interruptible, because the operating system completes what it has started. */
const call = <A = void>(operation: string, path: string, run: (done: Done<A>) => void): Effect.Effect<A, DiskError> =>
  Effect.callback<A, DiskError>((resume) => {
    run((error, value) => resume(error ? Effect.fail(diskError(operation, path, error)) : Effect.succeed(value)))
  }).pipe(Effect.uninterruptible)

/** Threads of Node's pool, as documented by Node. */
const threads = Number(process.env["UV_THREADPOOL_SIZE"] ?? "") || 4

/** Syncs and durable writes may take long: one thread stays free for short operations such as recording settled messages. */
const syncs = Semaphore.makeUnsafe(Math.max(1, threads - 1))

/** Publishers wait for durable writes, and rarely for other syncs: of those, one less runs at a time. */
const others = Semaphore.makeUnsafe(Math.max(1, threads - 2))

const writeVectors = (
  fd: number,
  path: string,
  buffers: ReadonlyArray<Uint8Array>,
  position: number
): Effect.Effect<void, DiskError> => {
  const piece = buffers.slice(0, maxVectors)
  const rest = buffers.slice(maxVectors)
  const size = piece.reduce((sum, buffer) => sum + buffer.length, 0)
  return Effect.flatMap(call<number>("write", path, (done) => Fs.writev(fd, piece, position, done)), (written) => {
    const left = written < size ? [Buffer.concat(piece).subarray(written), ...rest] : rest
    return left.length === 0 ? Effect.void : writeVectors(fd, path, left, position + written)
  })
}

const readFully = (fd: number, path: string, buffer: Buffer, position: number): Effect.Effect<number, DiskError> =>
  Effect.gen(function*() {
    let total = 0
    while (total < buffer.length) {
      const count = yield* call<number>(
        "read",
        path,
        (done) => Fs.read(fd, buffer, total, buffer.length - total, position + total, done)
      )
      if (count === 0) break
      total += count
    }
    return total
  })

const closeFd = (fd: number, path: string): Effect.Effect<void> =>
  Effect.ignore(call("close", path, (done) => Fs.close(fd, (error) => done(error ?? null))))

const file = (fd: number, path: string): DiskFile => ({
  read: (buffer, position) => readFully(fd, path, buffer, position),
  write: (buffers, position) =>
    buffers.length === 1 && buffers[0] !== undefined
      ? writeOne(fd, path, buffers[0], position)
      : writeVectors(fd, path, buffers, position),
  sync: others.withPermit(syncs.withPermit(call("fsync", path, (done) => Fs.fdatasync(fd, (error) => done(error))))),
  truncate: (size) => call("truncate", path, (done) => Fs.ftruncate(fd, size, (error) => done(error))),
  size: Effect.map(call<Fs.Stats>("stat", path, (done) => Fs.fstat(fd, done)), (stats) => stats.size),
  close: closeFd(fd, path)
})

const writeOne = (fd: number, path: string, bytes: Uint8Array, position: number): Effect.Effect<void, DiskError> =>
  Effect.flatMap(
    call<number>("write", path, (done) => Fs.write(fd, bytes, 0, bytes.length, position, done)),
    (written) =>
      written === bytes.length ? Effect.void : writeOne(fd, path, bytes.subarray(written), position + written)
  )

const openFile = (path: string, flags: number) =>
  Effect.map(call<number>("open", path, (done) => Fs.open(path, flags, 0o600, done)), (fd) => file(fd, path))

const { O_CREAT, O_RDONLY, O_RDWR, O_TRUNC } = Fs.constants
/** Not defined on Windows, where `openDurable` syncs after each write. */
const O_DSYNC: number | undefined = Fs.constants.O_DSYNC

const remove = (path: string) =>
  call("remove", path, (done) => Fs.unlink(path, (error) => done(error?.code === "ENOENT" ? null : error)))

const openDurable = (path: string): Effect.Effect<DiskFile, DiskError> =>
  O_DSYNC === undefined
    ? Effect.map(openFile(path, O_RDWR), (opened) => ({
      ...opened,
      write: (buffers, position) => Effect.andThen(opened.write(buffers, position), opened.sync)
    }))
    // A durable write takes as long as a sync.
    : Effect.map(openFile(path, O_RDWR | O_DSYNC), (opened) => ({
      ...opened,
      write: (buffers, position) => syncs.withPermit(opened.write(buffers, position))
    }))

const rename = (from: string, to: string) => call("rename", from, (done) => Fs.rename(from, to, (error) => done(error)))

const writeText = Effect.fnUntraced(function*(path: string, text: string) {
  const unique = yield* Random.nextIntBetween(0, 2 ** 31)
  const temporary = `${path}.${unique}.tmp`
  const write = Effect.acquireUseRelease(
    openFile(temporary, O_RDWR | O_CREAT | O_TRUNC),
    (opened) => Effect.andThen(opened.write([Buffer.from(text)], 0), opened.sync),
    (opened) => opened.close
  )
  yield* Effect.andThen(write, rename(temporary, path)).pipe(
    Effect.onError(() => Effect.ignore(remove(temporary)))
  )
})

/** fsync(2) of the directory; not available on Windows. */
const syncDirectory = (directory: string): Effect.Effect<void, DiskError> =>
  process.platform === "win32" ? Effect.void : Effect.acquireUseRelease(
    call<number>("open", directory, (done) => Fs.open(directory, O_RDONLY, done)),
    (fd) => call("fsync", directory, (done) => Fs.fsync(fd, (error) => done(error))),
    (fd) => closeFd(fd, directory)
  )

const startOf = (path: string, maxBytes: number): FileStart => {
  if (maxBytes === 0) return { bytes: Buffer.alloc(0), size: Fs.statSync(path).size }
  const fd = Fs.openSync(path, O_RDONLY)
  try {
    const bytes = Buffer.allocUnsafe(maxBytes)
    const count = Fs.readSync(fd, bytes, 0, maxBytes, 0)
    // A regular file returns fewer bytes only at its end.
    const size = count < maxBytes ? count : Fs.fstatSync(fd).size
    return { bytes: bytes.subarray(0, count), size }
  } finally {
    Fs.closeSync(fd)
  }
}

/**
 * Does not use the thread pool: a call there takes six times as long as a read from the page cache, and a start with
 * thousands of queues makes three calls for each. No client is served before the start is complete; afterwards only
 * queues created over existing files are read this way.
 */
const readStart = (path: string, maxBytes: number): Result.Result<FileStart | undefined, DiskError> => {
  const result = Result.try({
    try: () => startOf(path, maxBytes),
    catch: (cause) => diskError("open", path, cause instanceof Error ? cause : new Error(String(cause)))
  })
  return Result.isFailure(result) && result.failure.code === "ENOENT" ? Result.succeed(undefined) : result
}

/** Size of the first read. */
const firstReadBytes = 64 * 1024

const readText = (path: string): Effect.Effect<string | undefined, DiskError> =>
  Effect.acquireUseRelease(
    call<number>("open", path, (done) => Fs.open(path, O_RDONLY, done)),
    (fd) =>
      Effect.gen(function*() {
        const pieces: Array<Buffer> = []
        let position = 0
        for (let size = firstReadBytes;; size *= 4) {
          const buffer = Buffer.allocUnsafe(size)
          const count = yield* call<number>("read", path, (done) => Fs.read(fd, buffer, 0, size, position, done))
          pieces.push(buffer.subarray(0, count))
          position += count
          // A regular file returns fewer bytes only at its end.
          if (count < size) return Buffer.concat(pieces).toString()
        }
      }),
    (fd) => closeFd(fd, path)
  ).pipe(Effect.catchIf((error) => error.code === "ENOENT", () => Effect.undefined))

const disk = Disk.of({
  open: (path) => openFile(path, O_RDONLY),
  create: (path) => openFile(path, O_RDWR | O_CREAT),
  openDurable,
  openExisting: (path) => openFile(path, O_RDWR),
  rename,
  remove,
  makeDirectory: (path) =>
    call(
      "mkdir",
      path,
      (done) => Fs.mkdir(path, { mode: 0o700 }, (error) => done(error?.code === "EEXIST" ? null : error))
    ),
  removeDirectory: (path) =>
    call("rmdir", path, (done) => Fs.rmdir(path, (error) => done(error?.code === "ENOENT" ? null : error))),
  list: (directory) => call<Array<string>>("open", directory, (done) => Fs.readdir(directory, done)),
  readStart,
  readText,
  writeText,
  space: (directory) =>
    Effect.map(
      call<Fs.StatsFs>("statfs", directory, (done) => Fs.statfs(directory, done)),
      ({ bavail, blocks, bsize }) => ({ free: bavail * bsize, total: blocks * bsize })
    ),
  syncDirectory
})

/** Open files of queues if the limit of the process is unknown. */
const defaultPoolSize = 256
const minPoolSize = 16
/** A larger pool gains next to nothing: reopening a file takes about 20 us. */
const maxPoolSize = 4096

/** A quarter of the process's descriptors, as Linux reports them; the rest is for connections. */
const poolSize: Effect.Effect<number> = Effect.map(
  Effect.option(call<string>("open", "/proc/self/limits", (done) => Fs.readFile("/proc/self/limits", "utf8", done))),
  (limits) => {
    const soft = limits._tag === "Some" ? /^Max open files +(\d+)/m.exec(limits.value)?.[1] : undefined
    return soft === undefined
      ? defaultPoolSize
      : Math.min(Math.max(Math.floor(Number(soft) / 4), minPoolSize), maxPoolSize)
  }
)

/**
 * Files of the operating system, with a bounded number of open descriptors.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Disk> = Layer.effect(Disk, Effect.map(poolSize, (limit) => FilePool.make(disk, limit)))
