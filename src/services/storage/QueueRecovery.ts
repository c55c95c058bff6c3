/**
 * What a disk queue finds when it is opened: where to read, where to write, how many messages lie between. Trusts the files
 * more than the metadata, which after a crash is older than they are: nothing that was written is overwritten or left out.
 * NSQ overwrites the first file where the metadata is missing.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import {
  dataFileName,
  dataFileNumber,
  decodeQueueMetadata,
  metadataFileName,
  type QueueMetadata,
  type QueuePosition,
  walkRecords
} from "../../protocol/DiskQueueFormat.ts"
import type { Disk, DiskError } from "./Disk.ts"

export interface RecoveredQueue extends QueueMetadata {
  /** Whether this differs from what the metadata file says. */
  readonly changed: boolean
}

interface RecoveryOptions {
  readonly dataPath: string
  readonly maxMsgSize: number
}

const fresh: RecoveredQueue = { depth: 0, read: { file: 0, offset: 0 }, write: { file: 0, offset: 0 }, changed: false }

const scanBytes = 1024 * 1024

/** Opens a queue's files to see what they hold. */
export const recoverQueue = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  name: string,
  options: RecoveryOptions
): Effect.fn.Return<RecoveredQueue, DiskError> {
  const label = `DISKQUEUE(${name})`
  const directory = options.dataPath === "" ? "." : options.dataPath
  const pathOf = (file: number) => Path.join(options.dataPath, dataFileName(name, file))
  const text = yield* disk.readText(Path.join(options.dataPath, metadataFileName(name)))
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

  if (saved === undefined) {
    const files = yield* dataFiles(disk, directory, name)
    const [first] = files
    const last = files.at(-1)
    if (first === undefined || last === undefined) return fresh
    yield* Effect.logWarning(`${label} has no metadata, recovering from ${files.length} data files`)
    let depth = 0
    for (const file of files) depth += (yield* countRecords({ file, offset: 0 })).count
    return { depth, read: { file: first, offset: 0 }, write: { file: last + 1, offset: 0 }, changed: true }
  }

  const { read, write } = saved
  if (read.file > write.file || (read.file === write.file && read.offset > write.offset)) {
    yield* Effect.logError(`${label} read position ${read.file},${read.offset} is beyond the write position, resetting`)
    return {
      depth: 0,
      read: { file: write.file + 1, offset: 0 },
      write: { file: write.file + 1, offset: 0 },
      changed: true
    }
  }
  const files = (yield* dataFiles(disk, directory, name)).filter((file) => file >= write.file)
  if (files.length === 0) return { ...saved, changed: false }
  const tail = files[0] === write.file ? yield* countRecords(write) : { count: 0, size: write.offset }
  const later = files.filter((file) => file > write.file)
  if (tail.size <= write.offset && later.length === 0) return { ...saved, changed: false }
  yield* Effect.logWarning(
    `${label} ${pathOf(write.file)} metadata writePos ${write.offset} < file size of ${tail.size}, skipping to new file`
  )
  let depth = saved.depth + tail.count
  for (const file of later) depth += (yield* countRecords({ file, offset: 0 })).count
  return { depth, read, write: { file: (later.at(-1) ?? write.file) + 1, offset: 0 }, changed: true }
})

const dataFiles = (disk: Disk["Service"], directory: string, name: string) =>
  disk.list(directory).pipe(
    // A directory that is gone is an error to whoever writes, as in NSQ.
    Effect.catchIf((error) => error.code === "ENOENT", () => Effect.succeed([])),
    Effect.map((names) => names.flatMap((file) => dataFileNumber(name, file) ?? []).sort((a, b) => a - b))
  )
