/**
 * The file with the durabilities of topics that were set at run time (docs/protocol/files.md#durabilities). It exists only if
 * there are any.
 */
import { Effect, Result } from "effect"
import * as Path from "node:path"
import {
  decodeTopicDurabilities,
  durabilitiesFileName,
  encodeTopicDurabilities
} from "../../../protocol/storage/TopicDurabilities.ts"
import type { Disk } from "../disk/Disk.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"
import type { Durability } from "../options/Durability.ts"

/** The file in the data directory `dataPath`. */
export const make = (disk: Disk["Service"], dataPath: string) => {
  const path = Path.join(dataPath, durabilitiesFileName)
  const synced = disk.syncDirectory(dataPath === "" ? "." : dataPath)

  /** Fails for a damaged file: a topic must not become less durable than its operator has set. */
  const load: Effect.Effect<ReadonlyMap<string, Durability>, StorageError> = Effect.gen(function*() {
    const text = yield* Effect.mapError(disk.readText(path), StorageError.fromDisk)
    if (text === undefined) return new Map<string, Durability>()
    const decoded = decodeTopicDurabilities(text)
    if (Result.isSuccess(decoded)) return decoded.success
    const description = `failed to parse the durabilities of topics in ${path} - ${decoded.failure.message}`
    return yield* new StorageError({ reason: StorageErrorReason.InvalidMetadata({ description }) })
  })

  /** Replaces the file durably. */
  const save = (durabilities: ReadonlyMap<string, Durability>): Effect.Effect<void, StorageError> => {
    const write = durabilities.size === 0
      ? disk.remove(path)
      : disk.writeText(path, encodeTopicDurabilities(durabilities))
    return Effect.mapError(Effect.andThen(write, synced), StorageError.fromDisk)
  }

  return { path, load, save }
}
