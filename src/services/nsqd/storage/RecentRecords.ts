/**
 * The records at the end of a disk queue, which a killed daemon may have written without recording it elsewhere.
 * Their files and the directory are synced first, because the caller may drop its own copy.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { messageHeaderSize } from "../../../protocol/client/Message.ts"
import { walkRecords } from "../../../protocol/storage/DiskQueueFormat.ts"
import { addIdentities } from "../../../protocol/storage/RecordIdentity.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { QueuePositions } from "./QueuePositions.ts"

const readBytes = 1024 * 1024

/** The identities of the records from `recent` on. An unreadable record ends the search of its file. */
export const recentIdentities = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  pathOf: (file: number) => string,
  { numbers, recent: start }: QueuePositions,
  maxMsgSize: number
): Effect.fn.Return<ReadonlySet<string>, DiskError> {
  const identities = new Set<string>()
  for (const file of numbers.slice()) {
    if (file < start.file) continue
    const from = file === start.file ? start.offset : 0
    yield* Effect.acquireUseRelease(
      disk.openExisting(pathOf(file)),
      (opened) => Effect.andThen(opened.sync, collect(opened, from, maxMsgSize, identities)),
      (opened) => opened.close
      // The file may have been finished and removed meanwhile.
    ).pipe(Effect.catchIf((error) => error.code === "ENOENT", () => Effect.void))
  }
  if (identities.size > 0) yield* disk.syncDirectory(Path.dirname(pathOf(start.file)))
  return identities
})

const collect = Effect.fnUntraced(function*(
  file: DiskFile,
  from: number,
  maxMsgSize: number,
  identities: Set<string>
): Effect.fn.Return<void, DiskError> {
  let offset = from
  let size = readBytes
  while (true) {
    const bytes = Buffer.allocUnsafeSlow(size)
    const read = yield* file.read(bytes, offset)
    const { end, next } = walkRecords(bytes, 0, read, maxMsgSize)
    addIdentities(identities, bytes, 0, end)
    offset += end
    if (read < size) return
    if (end > 0) size = readBytes
    // The record is larger than the read.
    else if (next !== undefined && 4 + next > size && next <= maxMsgSize + messageHeaderSize) size = 4 + next
    else return
  }
})
