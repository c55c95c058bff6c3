/**
 * The files of one disk queue according to a directory listing. A queue does not list its directory itself, so that
 * one listing serves all queues.
 */
import {
  checksumFileNumber,
  dataFileNumber,
  metadataFileName,
  stateFileName
} from "../../../protocol/storage/DiskQueueFormat.ts"

/** The existing files, regardless of their content. */
export interface QueueInventory {
  /** Numbers of the data files, ascending. */
  readonly data: ReadonlyArray<number>
  /** Numbers of the checksum files, ascending. */
  readonly sums: ReadonlyArray<number>
  /** Whether NSQ's metadata file exists. */
  readonly hasMetadata: boolean
  /** Whether the state file exists. */
  readonly hasState: boolean
}

/** The inventory of a new queue. */
export const empty: QueueInventory = { data: [], sums: [], hasMetadata: false, hasState: false }

/** Returns the inventory of the queue `name` from the file names of its directory. */
export const fromNames = (name: string, fileNames: ReadonlyArray<string>): QueueInventory => {
  const ascending = (a: number, b: number): number => a - b
  return {
    data: fileNames.flatMap((fileName) => dataFileNumber(name, fileName) ?? []).sort(ascending),
    sums: fileNames.flatMap((fileName) => checksumFileNumber(name, fileName) ?? []).sort(ascending),
    hasMetadata: fileNames.includes(metadataFileName(name)),
    hasState: fileNames.includes(stateFileName(name))
  }
}
