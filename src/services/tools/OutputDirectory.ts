/**
 * A directory that `nsq_to_file` puts files into: makes the directories that a name asks for, never leaves the directory by
 * `..` or a symbolic link, and moves finished files there without replacing others.
 */
import { Effect, Random } from "effect"
import * as Path from "node:path"
import { type OutputFileError, OutputFiles } from "./OutputFiles.ts"
import { FileFailed } from "./ToolError.ts"

/** Turns the failure of a file operation into the reason why the program ends. */
export const because = (what: string) => (error: OutputFileError): FileFailed =>
  new FileFailed({ reason: `${what}: ${error.message}` })

const isWithin = (directory: string, path: string): boolean => {
  const relative = Path.relative(directory, path)
  return relative !== ".." && !relative.startsWith(`..${Path.sep}`) && !Path.isAbsolute(relative)
}

/** Why a file with this name cannot be in the directory, if so: a topic may be called `..`. */
export const problem = (name: string): string | undefined =>
  name.split(/[/\\]/).includes("..") ? `the file name ${name} leaves its directory` : undefined

/** The path of a file in the directory `root`; creates the directories between them. */
export const prepare = Effect.fnUntraced(function*(
  root: string,
  name: string
): Effect.fn.Return<string, FileFailed, OutputFiles> {
  const files = yield* OutputFiles
  const path = Path.join(root, name)
  const failed = because(`cannot create ${Path.dirname(path)}`)
  const wrong = problem(name)
  if (wrong !== undefined) return yield* new FileFailed({ reason: wrong })
  yield* Effect.mapError(files.makeDirectory(root, { recursive: true }), failed)
  const top = yield* Effect.mapError(files.realPath(root), failed)
  let directory = top
  for (const part of Path.dirname(Path.normalize(name)).split(Path.sep)) {
    const next = Path.join(directory, part)
    // One at a time: what is below a symbolic link must not be created before it is known where that leads.
    yield* Effect.mapError(files.makeDirectory(next), failed)
    directory = yield* Effect.mapError(files.realPath(next), failed)
    if (!isWithin(top, directory)) {
      return yield* new FileFailed({ reason: `cannot create ${path}: a symbolic link leads out of ${root}` })
    }
  }
  return path
})

/** Failures that mean that no second name can be made there: another file system, or one that has no hard links. */
const unlinkable = new Set(["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

const isTaken = (error: OutputFileError): boolean => error.code === "EEXIST"

/** Moves a copy that lies beside `target` to that name; false if the name is taken. */
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
  // The name is reserved with an empty file, which only this program replaces.
  const reserved = yield* files.open(target, "new").pipe(
    Effect.flatMap(({ close }) => Effect.as(close, true)),
    Effect.catchIf(isTaken, () => Effect.succeed(false))
  )
  yield* reserved ? files.rename(copy, target) : files.remove(copy)
  return reserved
})

/** Copies a file to `target` by way of a name that nobody looks for; false if `target` is taken. */
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
      // Nothing may have been created.
      error.code === "ENOENT" ? Effect.void : Effect.logWarning(`a partial copy is left behind: ${error.message}`)))
})

/**
 * Moves a finished file to `target`, across file systems by a copy; false if that name is taken. The file is under its old name
 * until it is on the disk under the new one.
 */
export const move = Effect.fnUntraced(function*(
  path: string,
  target: string
): Effect.fn.Return<boolean, FileFailed, OutputFiles> {
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
