/** A disk in memory for `nsq_to_file` that can be full, fail, and have several file systems. */
import { Context, Effect, Layer, Schema } from "effect"
import { OutputFileError, OutputFiles } from "../../../src/services/tools/OutputFiles.ts"

type Operation = "open" | "write" | "sync" | "truncate" | "close" | "link" | "rename" | "remove" | "copy" | "mkdir"

/** Returns the error code of an operation, or `undefined` to let it succeed. */
type Fault = (operation: Operation, path: string) => string | undefined

interface Stored {
  content: Buffer
  synced: number
}

export class MemoryFiles extends Context.Service<MemoryFiles, {
  /** Contents by path. */
  readonly contents: () => Record<string, string>
  readonly bytes: (path: string) => Buffer
  readonly put: (path: string, content: string) => void
  /** Limits the size of all files together, in bytes. */
  readonly setCapacity: (bytes: number) => void
  readonly fail: (fault: Fault) => void
}>()("test/MemoryFiles") {}

const text = Schema.decodeUnknownSync(Schema.String)

/** The file system is the directory directly below the root. */
const deviceOf = (path: string): string => text(path.split("/")[1])

export const layer: Layer.Layer<MemoryFiles | OutputFiles> = Layer.effectContext(Effect.sync(() => {
  const files = new Map<string, Stored>()
  let capacity = Infinity
  let fault: Fault = () => undefined
  const used = () => [...files.values()].reduce((sum, { content }) => sum + content.length, 0)

  const fails = (operation: Operation, path: string, code: string) =>
    Effect.fail(new OutputFileError({ operation, path, code, text: code }))
  const attempt = <A>(operation: Operation, path: string, run: () => Effect.Effect<A, OutputFileError>) =>
    Effect.suspend(() => {
      const code = fault(operation, path)
      return code === undefined ? run() : fails(operation, path, code)
    })

  const append = (stored: Stored, path: string, bytes: Uint8Array, operation: Operation) => {
    const room = Math.max(0, Math.min(bytes.length, capacity - used()))
    stored.content = Buffer.concat([stored.content, bytes.subarray(0, room)])
    return room < bytes.length ? fails(operation, path, "ENOSPC") : Effect.void
  }

  const get = (path: string): Effect.Effect<Stored, OutputFileError> =>
    Effect.suspend(() => {
      const stored = files.get(path)
      return stored === undefined ? fails("open", path, "ENOENT") : Effect.succeed(stored)
    })

  const disk = OutputFiles.of({
    open: (path, mode) =>
      attempt("open", path, () => {
        const existing = files.get(path)
        if (existing !== undefined && mode === "new") return fails("open", path, "EEXIST")
        const stored = existing ?? { content: Buffer.alloc(0), synced: 0 }
        files.set(path, stored)
        return Effect.succeed({
          size: stored.content.length,
          endsInLine: stored.content.length > 0 && stored.content.at(-1) !== 10,
          write: (bytes) => attempt("write", path, () => append(stored, path, bytes, "write")),
          sync: attempt("sync", path, () => Effect.sync(() => void (stored.synced = stored.content.length))),
          truncate: (size) =>
            attempt(
              "truncate",
              path,
              () => Effect.sync(() => void (stored.content = stored.content.subarray(0, size)))
            ),
          close: attempt("close", path, () => Effect.void)
        })
      }),
    size: (path) => Effect.sync(() => files.get(path)?.content.length),
    makeDirectory: (path) => attempt("mkdir", path, () => Effect.void),
    realPath: Effect.succeed,
    link: (from, to) =>
      attempt("link", to, () => {
        if (deviceOf(from) !== deviceOf(to)) return fails("link", to, "EXDEV")
        if (files.has(to)) return fails("link", to, "EEXIST")
        return Effect.map(get(from), (stored) => void files.set(to, stored))
      }),
    rename: (from, to) =>
      attempt("rename", to, () =>
        Effect.map(get(from), (stored) => {
          files.set(to, stored)
          files.delete(from)
        })),
    remove: (path) => attempt("remove", path, () => Effect.map(get(path), () => void files.delete(path))),
    copy: (from, to) =>
      attempt("copy", to, () =>
        Effect.flatMap(get(from), ({ content }) => {
          const stored = { content: Buffer.alloc(0), synced: 0 }
          files.set(to, stored)
          return append(stored, to, content, "copy")
        })),
    syncDirectory: () => Effect.void
  })

  return Context.make(OutputFiles, disk).pipe(Context.add(
    MemoryFiles,
    MemoryFiles.of({
      contents: () => Object.fromEntries([...files].map(([path, { content }]) => [path, content.toString()])),
      bytes: (path) => files.get(path)?.content ?? Buffer.alloc(0),
      put: (path, content) => void files.set(path, { content: Buffer.from(content), synced: content.length }),
      setCapacity: (bytes) => void (capacity = bytes),
      fail: (next) => void (fault = next)
    })
  ))
}))
