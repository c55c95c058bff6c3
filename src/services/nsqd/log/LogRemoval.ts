/**
 * The removal of a log with its files: after a crash the log is complete or gone.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { deletedLogName, isDeletedLog } from "../../../protocol/storage/LogFiles.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"

/**
 * Removes the directory of a closed log: renames it, durably, and then removes its files. What cannot be removed then is removed at
 * the next start.
 */
export const removeLog = (disk: Disk["Service"], directory: string): Effect.Effect<void, DiskError> =>
  Effect.gen(function*() {
    const parent = Path.dirname(directory)
    const deleted = Path.join(parent, deletedLogName(Path.basename(directory)))
    // An earlier topic of the same name.
    yield* removeFiles(disk, deleted)
    // Another program may have removed the directory.
    yield* ignoreMissing(disk.rename(directory, deleted))
    yield* disk.syncDirectory(parent)
    yield* removeOrReport(disk, deleted)
  })

/** Removes what crashes have left of deleted logs in the directory of all logs, which has these names. */
export const removeDeletedLogs = (
  disk: Disk["Service"],
  directory: string,
  names: ReadonlyArray<string>
): Effect.Effect<void> =>
  Effect.forEach(names.filter(isDeletedLog), (name) => removeOrReport(disk, Path.join(directory, name)), {
    discard: true
  })

const removeOrReport = (disk: Disk["Service"], directory: string): Effect.Effect<void> =>
  Effect.catch(
    removeFiles(disk, directory),
    (error) =>
      Effect.logWarning(`failed to remove the files of a deleted topic until the next start - ${error.message}`)
  )

const removeFiles = (disk: Disk["Service"], directory: string): Effect.Effect<void, DiskError> =>
  ignoreMissing(Effect.gen(function*() {
    for (const name of yield* disk.list(directory)) yield* disk.remove(Path.join(directory, name))
    yield* disk.removeDirectory(directory)
  }))

const ignoreMissing = (work: Effect.Effect<void, DiskError>): Effect.Effect<void, DiskError> =>
  Effect.catchIf(work, ({ code }) => code === "ENOENT", () => Effect.void)
