/**
 * The removal of a log with its files, in an order that a crash can interrupt.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { parseLogFileName } from "../../../protocol/storage/LogFiles.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"

/** Removes the directory of a closed log, durably. */
export const removeLog = (disk: Disk["Service"], directory: string): Effect.Effect<void, DiskError> =>
  Effect.gen(function*() {
    const names = yield* disk.list(directory)
    // The state leaves last: without it the segments would be messages of a topic without channels.
    const isState = (name: string): boolean => parseLogFileName(name)?.kind === "state"
    for (const name of [...names.filter((name) => !isState(name)), ...names.filter(isState)]) {
      yield* disk.remove(Path.join(directory, name))
    }
    yield* disk.removeDirectory(directory)
    yield* disk.syncDirectory(Path.dirname(directory))
  })
