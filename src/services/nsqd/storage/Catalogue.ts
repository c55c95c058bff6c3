/**
 * The catalogue of a data directory: the files of each queue. The directory is listed once, whatever the number of
 * queues; then the catalogue follows every file that queues create, rename and remove through its `disk`. Opening a
 * queue beside many thousands of files thus costs as much as opening the first one.
 *
 * Loading removes leftovers of a killed daemon: its temporary files, and checksums without a data file.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { parseQueueFileName } from "../../../protocol/storage/DiskQueueFormat.ts"
import { Disk, type DiskError } from "../disk/Disk.ts"
import { empty, type QueueInventory } from "./QueueInventory.ts"

/** The files of a data directory by queue. */
export interface Catalogue {
  /** The current files of a queue. A snapshot that does not change. */
  readonly inventoryOf: (queue: string) => QueueInventory
  /** The disk for the directory's queues: successful operations update the catalogue. */
  readonly disk: Disk["Service"]
}

interface QueueFiles {
  data: Array<number>
  sums: Array<number>
  hasMetadata: boolean
  hasState: boolean
}

/** Concurrent removals while the catalogue loads. */
const removals = 16

/** Temporary names that a daemon killed while replacing a file leaves behind. NSQ uses the same form. */
const isTemporary = (fileName: string): boolean =>
  /^(?:nsqd\.dat|nsqd\.durability\.dat|.+\.diskqueue\.(?:meta|state)\.dat)\.\d+\.tmp$/.test(fileName)

/** Inserts into an ascending list. Searches from the end, because numbers mostly grow. */
const insert = (numbers: Array<number>, number: number): void => {
  let at = numbers.length
  while (at > 0 && numbers[at - 1]! > number) at--
  if (numbers[at - 1] !== number) numbers.splice(at, 0, number)
}

const without = (numbers: Array<number>, number: number): Array<number> => numbers.filter((other) => other !== number)

class QueueMap {
  readonly queues = new Map<string, QueueFiles>()

  add(fileName: string): void {
    const parsed = parseQueueFileName(fileName)
    if (parsed === undefined) return
    const files = this.queues.get(parsed.queue) ?? { data: [], sums: [], hasMetadata: false, hasState: false }
    this.queues.set(parsed.queue, files)
    const { kind } = parsed
    if (kind._tag === "Data") insert(files.data, kind.file)
    else if (kind._tag === "Sums") insert(files.sums, kind.file)
    else if (kind._tag === "Metadata") files.hasMetadata = true
    else files.hasState = true
  }

  remove(fileName: string): void {
    const parsed = parseQueueFileName(fileName)
    const files = parsed && this.queues.get(parsed.queue)
    if (parsed === undefined || files === undefined) return
    const { kind } = parsed
    if (kind._tag === "Data") files.data = without(files.data, kind.file)
    else if (kind._tag === "Sums") files.sums = without(files.sums, kind.file)
    else if (kind._tag === "Metadata") files.hasMetadata = false
    else files.hasState = false
    const isEmpty = files.data.length + files.sums.length === 0 && !files.hasMetadata && !files.hasState
    if (isEmpty) this.queues.delete(parsed.queue)
  }
}

/** The leftovers of a killed daemon among these files. */
const leftovers = (fileNames: ReadonlyArray<string>): ReadonlyArray<string> => {
  const present = new Set(fileNames)
  return fileNames.filter((fileName) => {
    if (isTemporary(fileName)) return true
    const isSums = parseQueueFileName(fileName)?.kind._tag === "Sums"
    return isSums && !present.has(`${fileName.slice(0, -".sum".length)}.dat`)
  })
}

/** Lists a directory. A missing directory counts as empty: the first write fails, as in NSQ. */
export const load = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  directory: string
): Effect.fn.Return<Catalogue, DiskError> {
  const listed = yield* disk.list(directory).pipe(
    Effect.catchIf((error) => error.code === "ENOENT", () => Effect.succeed([]))
  )
  // A process that was killed may have created files whose entries only a sync of the directory makes durable.
  yield* Effect.catch(
    disk.syncDirectory(directory),
    (error) => Effect.logWarning(`failed to sync the data directory - ${error.message}`)
  )
  const map = new QueueMap()
  for (const fileName of listed) map.add(fileName)
  const note = (change: (fileName: string) => void, path: string) => Effect.sync(() => change(Path.basename(path)))
  const added = (path: string) => note((fileName) => map.add(fileName), path)
  const removed = (path: string) => note((fileName) => map.remove(fileName), path)

  const watched = Disk.of({
    ...disk,
    create: (path) => Effect.tap(disk.create(path), () => added(path)),
    rename: (from, to) => Effect.tap(disk.rename(from, to), () => Effect.andThen(removed(from), added(to))),
    remove: (path) => Effect.tap(disk.remove(path), () => removed(path)),
    writeText: (path, text) => Effect.tap(disk.writeText(path, text), () => added(path))
  })

  yield* Effect.forEach(
    leftovers(listed),
    (fileName) =>
      Effect.catch(
        watched.remove(Path.join(directory, fileName)),
        (error) => Effect.logWarning(`failed to remove a leftover file - ${error.message}`)
      ),
    { concurrency: removals, discard: true }
  )

  return {
    inventoryOf: (queue) => {
      const files = map.queues.get(queue)
      return files === undefined ? empty : { ...files, data: [...files.data], sums: [...files.sums] }
    },
    disk: watched
  }
})
