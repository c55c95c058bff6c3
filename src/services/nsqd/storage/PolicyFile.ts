/**
 * The file with the policies that were set at run time (docs/protocol/files.md#policies). It exists only if there are any.
 */
import { Effect, Result, Schema } from "effect"
import * as Path from "node:path"
import type { Policy } from "../../../protocol/http/PoliciesResponse.ts"
import type { Disk } from "../disk/Disk.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"
import * as PolicyCheck from "../options/PolicyCheck.ts"

/** The name of the file in the data directory. */
export const policiesFileName = "nsqd.policies.dat"

const Contents = Schema.fromJsonString(Schema.Struct({ policies: Schema.Array(Schema.Unknown) }))
const decodeContents = Schema.decodeUnknownResult(Contents)

/** The policies in a text; the failure says what is wrong. */
const decode = (text: string): Result.Result<ReadonlyArray<Policy>, string> =>
  Result.gen(function*() {
    const { policies } = yield* Result.mapError(decodeContents(text), ({ message }) => message)
    const checked: Array<Policy> = []
    for (const policy of policies) {
      checked.push(yield* Result.mapError(PolicyCheck.check(policy), ({ field, why }) => `${field}: ${why}`))
    }
    return checked
  })

/** The file in the data directory `dataPath`. */
export const make = (disk: Disk["Service"], dataPath: string) => {
  const path = Path.join(dataPath, policiesFileName)
  const synced = disk.syncDirectory(dataPath === "" ? "." : dataPath)

  /** Fails for a damaged file, and for a policy that is not valid: a limit that an operator has set must not disappear. */
  const load: Effect.Effect<ReadonlyArray<Policy>, StorageError> = Effect.gen(function*() {
    const text = yield* Effect.mapError(disk.readText(path), StorageError.fromDisk)
    if (text === undefined) return []
    const decoded = decode(text)
    if (Result.isSuccess(decoded)) return decoded.success
    const description = `failed to parse the policies in ${path} - ${decoded.failure}`
    return yield* new StorageError({ reason: StorageErrorReason.InvalidMetadata({ description }) })
  })

  /** Replaces the file durably. */
  const save = (policies: ReadonlyArray<Policy>): Effect.Effect<void, StorageError> => {
    const write = policies.length === 0 ? disk.remove(path) : disk.writeText(path, JSON.stringify({ policies }))
    return Effect.mapError(Effect.andThen(write, synced), StorageError.fromDisk)
  }

  return { path, load, save }
}
