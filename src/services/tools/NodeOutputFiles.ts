/**
 * The file operations of `nsq_to_file` on `node:fs`.
 */
import { Effect, Layer } from "effect"
import { constants } from "node:fs"
import { type FileHandle, link, lstat, mkdir, open, realpath, rename, unlink } from "node:fs/promises"
import { pipeline } from "node:stream/promises"
import { getSystemErrorMessage } from "node:util"
import { type OutputFile, OutputFileError, OutputFiles } from "./OutputFiles.ts"

const directoryMode = 0o770
const fileMode = 0o666

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants
/** Windows has neither flag. There only administrators create symbolic links, and pipes have no names in directories. */
const careful = (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0)
const openFlags = {
  new: O_RDWR | O_CREAT | O_APPEND | O_EXCL | careful,
  append: O_RDWR | O_CREAT | O_APPEND | careful
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "UNKNOWN"

const textOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  // With O_NOFOLLOW, ELOOP means that the file itself is a symbolic link.
  if (codeOf(cause) === "ELOOP") return "is a symbolic link"
  return "errno" in cause && typeof cause.errno === "number" ? getSystemErrorMessage(cause.errno) : cause.message
}

const call = <A>(operation: string, path: string, run: () => Promise<A>): Effect.Effect<A, OutputFileError> =>
  Effect.uninterruptible(Effect.tryPromise({
    try: run,
    catch: (cause) => new OutputFileError({ operation, path, code: codeOf(cause), text: textOf(cause) })
  }))

const ignoring = async (codes: ReadonlySet<string>, run: () => Promise<unknown>): Promise<void> => {
  try {
    await run()
  } catch (cause) {
    if (!codes.has(codeOf(cause))) throw cause
  }
}

const writeAll = async (handle: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten
}

const newline = 10

const endsInLine = async (handle: FileHandle, size: number): Promise<boolean> => {
  if (size === 0) return false
  const last = Buffer.alloc(1)
  await handle.read(last, 0, 1, size - 1)
  return last[0] !== newline
}

const opened = async (handle: FileHandle, path: string): Promise<OutputFile> => {
  const stats = await handle.stat()
  if (!stats.isFile()) throw Object.assign(new Error("not a regular file"), { code: "EINVAL" })
  return {
    size: stats.size,
    endsInLine: await endsInLine(handle, stats.size),
    write: (bytes) => call("write", path, () => writeAll(handle, bytes)),
    sync: call("sync", path, () => handle.sync()),
    truncate: (size) => call("truncate", path, () => handle.truncate(size)),
    close: call("close", path, () => handle.close())
  }
}

/** Runs an operation on an open file, and closes the file if it fails. */
const closingOnFailure = async <A>(handle: FileHandle, run: () => Promise<A>): Promise<A> => {
  try {
    return await run()
  } catch (cause) {
    await handle.close()
    throw cause
  }
}

const copy = async (from: string, to: string): Promise<void> => {
  const source = await open(from, O_RDONLY | careful)
  await closingOnFailure(source, async () => {
    const target = await open(to, openFlags.new, fileMode)
    await closingOnFailure(target, async () => {
      await pipeline(source.createReadStream({ autoClose: false }), async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) await writeAll(target, chunk)
      })
      await target.sync()
    })
    await target.close()
  })
  await source.close()
}

/** Errors of file systems or operating systems that cannot open or sync directories. */
const unsyncable = new Set(["EINVAL", "ENOTSUP", "EISDIR", "EACCES", "EPERM", "EBADF"])

const syncDirectory = (path: string): Promise<void> =>
  ignoring(unsyncable, async () => {
    const handle = await open(path, O_RDONLY)
    await closingOnFailure(handle, () => handle.sync())
    await handle.close()
  })

const sizeOf = async (path: string): Promise<number | undefined> => {
  let size: number | undefined
  await ignoring(new Set(["ENOENT"]), async () => (size = (await lstat(path)).size))
  return size
}

/** The operations on the file system of this machine. */
export const layer: Layer.Layer<OutputFiles> = Layer.succeed(OutputFiles, {
  open: (path, mode) =>
    call("open", path, async () => {
      const handle = await open(path, openFlags[mode], fileMode)
      return closingOnFailure(handle, () => opened(handle, path))
    }),
  size: (path) => call("stat", path, () => sizeOf(path)),
  makeDirectory: (path, options) =>
    call(
      "mkdir",
      path,
      () =>
        ignoring(
          new Set(["EEXIST"]),
          () => mkdir(path, { recursive: options?.recursive === true, mode: directoryMode })
        )
    ),
  realPath: (path) => call("realpath", path, () => realpath(path)),
  link: (from, to) => call("link", to, () => link(from, to)),
  rename: (from, to) => call("rename", to, () => rename(from, to)),
  remove: (path) => call("remove", path, () => unlink(path)),
  copy: (from, to) => call("copy", to, () => copy(from, to)),
  syncDirectory: (path) => call("sync", path, () => syncDirectory(path))
})
