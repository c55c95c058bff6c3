/**
 * The files of one disk queue as a directory listing shows them. A queue never lists its directory: whoever opens it passes
 * an inventory, so that one listing serves all queues of a data directory.
 */
import {
  checksumFileNumber,
  dataFileNumber,
  metadataFileName,
  stateFileName
} from "../../../protocol/storage/DiskQueueFormat.ts"

/** A plain value: what exists, not what it contains. */
export interface QueueInventory {
  /** Numbers of the data files, in ascending order. */
  readonly data: ReadonlyArray<number>
  /** Numbers of the checksum files, in ascending order. */
  readonly sums: ReadonlyArray<number>
  /** Whether NSQ's metadata file exists. */
  readonly hasMetadata: boolean
  /** Whether the state file exists. */
  readonly hasState: boolean
}

/** The inventory of a queue that has no files yet. */
export const empty: QueueInventory = { data: [], sums: [], hasMetadata: false, hasState: false }

/** The inventory of the queue `name` among the file names of its directory. */
export const fromNames = (name: string, fileNames: ReadonlyArray<string>): QueueInventory => {
  const ascending = (a: number, b: number): number => a - b
  return {
    data: fileNames.flatMap((fileName) => dataFileNumber(name, fileName) ?? []).sort(ascending),
    sums: fileNames.flatMap((fileName) => checksumFileNumber(name, fileName) ?? []).sort(ascending),
    hasMetadata: fileNames.includes(metadataFileName(name)),
    hasState: fileNames.includes(stateFileName(name))
  }
}
