/**
 * A log that is being filled with the messages of another queue. A file in its directory says so until all of them are stored:
 * if the process ends before, the log is emptied at the next opening, and the messages are still where they came from.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { fillingFileName } from "../../../protocol/storage/LogFiles.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"

/** Marks the log as incomplete, durably. */
export const begin = (disk: Disk["Service"], directory: string): Effect.Effect<void, DiskError> =>
  Effect.andThen(disk.writeText(Path.join(directory, fillingFileName), ""), disk.syncDirectory(directory))

/** Marks the log as complete, durably. */
export const end = (disk: Disk["Service"], directory: string): Effect.Effect<void, DiskError> =>
  Effect.andThen(disk.remove(Path.join(directory, fillingFileName)), disk.syncDirectory(directory))

/** Empties an incomplete log; returns the names of the files that are left of `names`. */
export const discardIncomplete = (
  disk: Disk["Service"],
  directory: string,
  names: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string>, DiskError> =>
  Effect.gen(function*() {
    if (!names.includes(fillingFileName)) return names
    for (const name of names) if (name !== fillingFileName) yield* disk.remove(Path.join(directory, name))
    yield* disk.syncDirectory(directory)
    yield* end(disk, directory)
    return []
  })
