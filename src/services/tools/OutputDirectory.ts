/**
 * A directory for the files of `nsq_to_file`: creates the subdirectories of file names, never leaves the directory by `..` or a
 * symbolic link, and moves finished files into it without replacing others.
 */
import { Effect, Random } from "effect"
import * as Path from "node:path"
import { type OutputFileError, OutputFiles } from "./OutputFiles.ts"
import { type ToolError, toolError } from "./ToolError.ts"

/** Converts an error of a file operation to the error that ends the program. */
export const because = (what: string) => (error: OutputFileError): ToolError =>
  toolError("FileFailure", `${what}: ${error.message}`)

const isWithin = (directory: string, path: string): boolean => {
  const relative = Path.relative(directory, path)
  return relative !== ".." && !relative.startsWith(`..${Path.sep}`) && !Path.isAbsolute(relative)
}

/** Returns why the name would leave the directory, or `undefined`: a topic may be named `..`. */
export const problem = (name: string): string | undefined =>
  name.split(/[/\\]/).includes("..") ? `the file name ${name} leaves its directory` : undefined

/** Returns the path of a file in the directory `root`, after creating the subdirectories. */
export const prepare = Effect.fnUntraced(function*(
  root: string,
  name: string
): Effect.fn.Return<string, ToolError, OutputFiles> {
  const files = yield* OutputFiles
  const path = Path.join(root, name)
  const failed = because(`cannot create ${Path.dirname(path)}`)
  const wrong = problem(name)
  if (wrong !== undefined) return yield* toolError("FileFailure", wrong)
  yield* Effect.mapError(files.makeDirectory(root, { recursive: true }), failed)
  const top = yield* Effect.mapError(files.realPath(root), failed)
  let directory = top
  for (const part of Path.dirname(Path.normalize(name)).split(Path.sep)) {
    const next = Path.join(directory, part)
    // One level at a time: the target of a symbolic link must be known before anything is created below it.
    yield* Effect.mapError(files.makeDirectory(next), failed)
    directory = yield* Effect.mapError(files.realPath(next), failed)
    if (!isWithin(top, directory)) {
      return yield* toolError("FileFailure", `cannot create ${path}: a symbolic link leads out of ${root}`)
    }
  }
  return path
})

/** Error codes of file systems without hard links, and of links to another file system. */
const unlinkable = new Set(["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

const isTaken = (error: OutputFileError): boolean => error.code === "EEXIST"

/** Renames a copy in the directory of `target` to `target`; returns false if the name is taken. */
const claim = Effect.fnUntraced(function*(
  copy: string,
  target: string
): Effect.fn.Return<boolean, OutputFileError, OutputFiles> {
  const files = yield* OutputFiles
  const linked = yield* files.link(copy, target).pipe(
    Effect.as<"linked" | "taken" | "unlinkable">("linked"),
    Effect.catchIf(isTaken, () => Effect.succeed("taken" as const)),
    Effect.catchIf(({ code }) => unlinkable.has(code), () => Effect.succeed("unlinkable" as const))
  )
  if (linked !== "unlinkable") {
    yield* files.remove(copy)
    return linked === "linked"
  }
  // Reserves the name with an empty file, which only this program replaces.
  const reserved = yield* files.open(target, "new").pipe(
    Effect.flatMap(({ close }) => Effect.as(close, true)),
    Effect.catchIf(isTaken, () => Effect.succeed(false))
  )
  yield* reserved ? files.rename(copy, target) : files.remove(copy)
  return reserved
})

/** Copies a file to `target` under a temporary name first; returns false if `target` is taken. */
const copyTo = Effect.fnUntraced(function*(
  path: string,
  target: string
): Effect.fn.Return<boolean, OutputFileError, OutputFiles> {
  const files = yield* OutputFiles
  const random = (yield* Random.nextIntBetween(0, 2 ** 32)).toString(16)
  const copy = Path.join(Path.dirname(target), `.${Path.basename(target)}.${random}.partial`)
  const copied = Effect.andThen(files.copy(path, copy), claim(copy, target))
  return yield* Effect.tapError(copied, () =>
    Effect.catch(files.remove(copy), (error) =>
      // The copy may not exist.
      error.code === "ENOENT" ? Effect.void : Effect.logWarning(`cannot remove a partial copy: ${error.message}`)))
})

/**
 * Moves a finished file to `target`, by a copy to another file system; returns false if the name is taken. The old name is
 * removed only after the file is on disk under the new one.
 */
export const move = Effect.fnUntraced(function*(
  path: string,
  target: string
): Effect.fn.Return<boolean, ToolError, OutputFiles> {
  const files = yield* OutputFiles
  const placed = yield* files.link(path, target).pipe(
    Effect.as(true),
    Effect.catchIf(isTaken, () => Effect.succeed(false)),
    Effect.catchIf(({ code }) => unlinkable.has(code), () => copyTo(path, target)),
    Effect.tap((done) => done ? files.syncDirectory(Path.dirname(target)) : Effect.void),
    Effect.mapError(because(`moving ${path} to ${target}`))
  )
  if (placed) yield* Effect.mapError(files.remove(path), because(`removing ${path}`))
  return placed
})
