/**
 * Names of the durable log's files (docs/protocol/files.md#durable-log): `log/<topic>/` has segments, named by the sequence of
 * their first message, and the files of the channels' state, named by a generation.
 */

/** The directory of all logs in the data directory. */
export const logsDirectoryName = "log"

/** Names of dots alone would be other directories. No topic has a name with `%`. */
export const logDirectoryName = (topic: string): string => /^\.+$/.test(topic) ? topic.replaceAll(".", "%2E") : topic

/** The log of a deleted topic is renamed before its files are removed. No topic has a name with `%`. */
const deletedSuffix = "%deleted"

/** Returns the name of a log's directory while its files are removed. */
export const deletedLogName = (directory: string): string => `${directory}${deletedSuffix}`

/** Whether a directory has what is left of a deleted topic. */
export const isDeletedLog = (directory: string): boolean => directory.endsWith(deletedSuffix)

/** Returns the topics of the directories in the directory of all logs; the inverse of `logDirectoryName`. */
export const topicsOfLogs = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.filter((name) => !isDeletedLog(name)).map((name) => name.replaceAll("%2E", "."))

const digits = 16

/** Returns the name of the segment whose first message has the sequence `first`. */
export const segmentFileName = (first: number): string => `${String(first).padStart(digits, "0")}.segment`

/** Returns the name of a generation of the channels' state. */
export const stateFileName = (generation: number): string => `${String(generation).padStart(digits, "0")}.state`

/** The file that says that a log is being filled and incomplete. */
export const fillingFileName = "filling"

/** A file of a log. */
export interface LogFile {
  readonly kind: "segment" | "state"
  /** The first sequence of a segment; the generation of a state. */
  readonly number: number
}

/** Returns what a file of a log is; `undefined` for other files. */
export const parseLogFileName = (name: string): LogFile | undefined => {
  const [, number, kind] = /^(\d{16})\.(segment|state)$/.exec(name) ?? []
  if (number === undefined || (kind !== "segment" && kind !== "state")) return undefined
  return { kind, number: Number(number) }
}
