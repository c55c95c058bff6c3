/**
 * What a disk queue finds when it is opened: where to read, where to write, how many messages lie between. Trusts the files
 * more than the metadata, which after a crash is older than they are: nothing that was written is overwritten or left out.
 * NSQ overwrites the first file where the metadata is missing.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import {
  dataFileName,
  decodeQueueMetadata,
  metadataFileName,
  type QueueMetadata,
  type QueuePosition,
  walkRecords
} from "../../protocol/DiskQueueFormat.ts"
import type { Disk, DiskError } from "./Disk.ts"
import type { QueueInventory } from "./QueueInventory.ts"

export interface RecoveredQueue extends QueueMetadata {
  /** The first data file there is; those before the read position are no longer needed. */
  readonly firstFile: number
  /** Whether this differs from what the metadata file says. */
  readonly changed: boolean
}

interface RecoveryOptions {
  readonly dataPath: string
  readonly maxMsgSize: number
}

const fresh: RecoveredQueue = {
  depth: 0,
  read: { file: 0, offset: 0 },
  write: { file: 0, offset: 0 },
  firstFile: 0,
  changed: false
}

const scanBytes = 1024 * 1024

/** Opens a queue's files to see what they hold. */
export const recoverQueue = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  name: string,
  options: RecoveryOptions,
  inventory: QueueInventory
): Effect.fn.Return<RecoveredQueue, DiskError> {
  const label = `DISKQUEUE(${name})`
  const pathOf = (file: number) => Path.join(options.dataPath, dataFileName(name, file))
  const text = inventory.hasMetadata
    ? yield* disk.readText(Path.join(options.dataPath, metadataFileName(name)))
    : undefined
  const saved = text === undefined ? undefined : decodeQueueMetadata(text)
  if (text !== undefined && saved === undefined) {
    yield* Effect.logError(`${label} failed to retrieveMetaData - not three lines of numbers`)
  }

  /** Whole records of a file from `from` on, up to the first that is damaged. */
  const countRecords = Effect.fnUntraced(function*(from: QueuePosition) {
    return yield* Effect.acquireUseRelease(disk.open(pathOf(from.file)), (file) =>
      Effect.gen(function*() {
        const size = yield* file.size
        let offset = from.offset
        let count = 0
        while (offset < size) {
          let bytes: Buffer = Buffer.allocUnsafeSlow(Math.min(scanBytes, size - offset))
          let walk = walkRecords(bytes, 0, yield* file.read(bytes, offset), options.maxMsgSize)
          if (walk.count === 0 && walk.next !== undefined && offset + 4 + walk.next <= size && walk.next > 0) {
            bytes = Buffer.allocUnsafeSlow(Math.min(4 + walk.next, options.maxMsgSize + scanBytes))
            walk = walkRecords(bytes, 0, yield* file.read(bytes, offset), options.maxMsgSize)
          }
          if (walk.count === 0) break
          count += walk.count
          offset += walk.end
        }
        return { count, size }
      }), (file) => file.close)
  })

  const files = inventory.data
  const [first] = files
  const last = files.at(-1)

  if (saved === undefined) {
    if (first === undefined || last === undefined) return fresh
    yield* Effect.logWarning(`${label} has no metadata, recovering from ${files.length} data files`)
    let depth = 0
    for (const file of files) depth += (yield* countRecords({ file, offset: 0 })).count
    return {
      depth,
      read: { file: first, offset: 0 },
      write: { file: last + 1, offset: 0 },
      firstFile: first,
      changed: true
    }
  }

  const { read, write } = saved
  const firstFile = Math.min(first ?? read.file, read.file)
  if (read.file > write.file || (read.file === write.file && read.offset > write.offset)) {
    yield* Effect.logError(`${label} read position ${read.file},${read.offset} is beyond the write position, resetting`)
    const next = { file: Math.max(write.file, last ?? 0) + 1, offset: 0 }
    return { depth: 0, read: next, write: next, firstFile: next.file, changed: true }
  }
  // Files before the read position are left over from a crash between writing the metadata and removing them.
  const asSaved = { ...saved, firstFile, changed: firstFile < read.file }
  const [tailFile, ...later] = files.filter((file) => file >= write.file)
  if (tailFile === undefined) return asSaved
  const hasTail = tailFile === write.file
  const tail = hasTail ? yield* countRecords(write) : { count: 0, size: write.offset }
  if (!hasTail) later.unshift(tailFile)
  if (tail.size <= write.offset && later.length === 0) return asSaved
  yield* Effect.logWarning(
    `${label} ${pathOf(write.file)} metadata writePos ${write.offset} < file size of ${tail.size}, skipping to new file`
  )
  let depth = saved.depth + tail.count
  for (const file of later) depth += (yield* countRecords({ file, offset: 0 })).count
  return { depth, read, write: { file: (later.at(-1) ?? write.file) + 1, offset: 0 }, firstFile, changed: true }
})
