/**
 * A bounded pool of open files over any `Disk`. Queues keep any number of files open, as handles of which at most a
 * fixed number have a descriptor. If another is needed, the handle that was idle longest gives up its descriptor and
 * reopens its file on the next use.
 *
 * If the process or the system has no descriptors left, the pool closes idle files and retries without limit, so that
 * no queue sees `EMFILE` or `ENFILE`.
 *
 * A handle follows its file through a rename. After the file's removal its handles fail with `ENOENT` and hold no
 * descriptor, which would keep the file's space from being freed; none of them recreates the file. Giving up a
 * descriptor before a sync loses nothing: fsync(2) applies to the file, and Linux reports an unseen write-back
 * failure to the next opened descriptor.
 */
import { Effect, Layer, Schedule } from "effect"
import { Disk, DiskError, type DiskFile } from "./Disk.ts"
import type { StorageError } from "./StorageError.ts"

/** Delays between attempts to open a file without descriptors: 10 ms, doubling up to 1 s. */
const backoff = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("1 second")])

const hasNoDescriptor = ({ reason }: StorageError): boolean => reason._tag === "NoDescriptor"

/** Runs an effect that opens files outside the pool, and retries it while the process has no descriptors left. */
export const untilDescriptor = <A, R>(effect: Effect.Effect<A, StorageError, R>): Effect.Effect<A, StorageError, R> =>
  Effect.catchIf(effect, hasNoDescriptor, () => Effect.retry(effect, { schedule: backoff, while: hasNoDescriptor }))

class Handle {
  /** The current path; `undefined` once the file is removed. */
  path: string | undefined
  readonly openedAs: string
  readonly reopen: (path: string) => Effect.Effect<DiskFile, DiskError>
  file: DiskFile | undefined
  users = 0
  closed = false
  /** The next handle on the same path. */
  next: Handle | undefined

  constructor(path: string, reopen: (path: string) => Effect.Effect<DiskFile, DiskError>, file: DiskFile) {
    this.path = path
    this.openedAs = path
    this.reopen = reopen
    this.file = file
  }
}

/** The handles by path. */
class HandleMap {
  private readonly first = new Map<string, Handle>()

  add(path: string, handle: Handle): void {
    handle.path = path
    handle.next = this.first.get(path)
    this.first.set(path, handle)
  }

  remove(handle: Handle): void {
    if (handle.path === undefined) return
    const handles = this.take(handle.path).filter((other) => other !== handle)
    for (const other of handles) this.add(handle.path, other)
  }

  /** Removes and returns all handles of a path. */
  take(path: string): ReadonlyArray<Handle> {
    const handles: Array<Handle> = []
    for (let handle = this.first.get(path); handle !== undefined; handle = handle.next) handles.push(handle)
    this.first.delete(path)
    return handles
  }
}

/** The same disk with at most `limit` open files, including those that a single operation opens. */
export const make = (disk: Disk["Service"], limit: number): Disk["Service"] => {
  const handles = new HandleMap()
  /** Unused handles with a descriptor, the longest unused first. */
  const idle = new Set<Handle>()
  const waiting: Array<() => void> = []
  let descriptors = 0
  let exhausted = false

  const wakeOne = (): void => waiting.shift()?.()

  const giveBack = (): void => {
    descriptors--
    wakeOne()
  }

  /** Closes the descriptor of a handle; the caller takes its place in the pool. */
  const evict = (handle: Handle): Effect.Effect<void> => {
    const { file } = handle
    idle.delete(handle)
    handle.file = undefined
    return file === undefined ? Effect.void : file.close
  }

  /** Takes a place for one descriptor; waits while all are in use. */
  const takePlace: Effect.Effect<void> = Effect.suspend(() => {
    if (descriptors < limit) {
      descriptors++
      return Effect.void
    }
    for (const handle of idle) return evict(handle)
    return Effect.andThen(Effect.callback<void>((resume) => void waiting.push(() => resume(Effect.void))), takePlace)
  })

  /** Closes the currently idle handles. The set may change while one is closed. */
  const closeIdle: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      Array.from(idle),
      (handle) => idle.has(handle) ? Effect.andThen(evict(handle), Effect.sync(giveBack)) : Effect.void,
      { discard: true }
    )
  )

  const noteExhausted = (error: DiskError): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (exhausted) return Effect.void
      exhausted = true
      return Effect.logWarning(`DISK: ${error.message}; closing idle files and retrying`)
    })

  const noteOpened: Effect.Effect<void> = Effect.suspend(() => {
    if (!exhausted) return Effect.void
    exhausted = false
    return Effect.logInfo("DISK: files can be opened again")
  })

  /** Opens a file in a place already taken, retrying until a descriptor is available. */
  const opening = <A>(open: Effect.Effect<A, DiskError>): Effect.Effect<A, DiskError> =>
    open.pipe(
      Effect.tapError((error) => error.isExhausted ? Effect.andThen(noteExhausted(error), closeIdle) : Effect.void),
      Effect.retry({ schedule: backoff, while: ({ isExhausted }) => isExhausted }),
      Effect.tap(noteOpened)
    )

  /** An operation that opens a file only for itself. */
  const brief = <A>(operation: Effect.Effect<A, DiskError>): Effect.Effect<A, DiskError> =>
    Effect.uninterruptible(
      Effect.andThen(takePlace, Effect.ensuring(opening(operation), Effect.sync(giveBack)))
    )

  const openReal = (open: Effect.Effect<DiskFile, DiskError>): Effect.Effect<DiskFile, DiskError> =>
    Effect.andThen(takePlace, Effect.tapError(opening(open), () => Effect.sync(giveBack)))

  const closeReal = (handle: Handle): Effect.Effect<void> =>
    Effect.suspend(() => handle.file === undefined ? Effect.void : Effect.andThen(evict(handle), Effect.sync(giveBack)))

  const failure = (handle: Handle, code: string, text: string) =>
    Effect.fail(new DiskError({ operation: "open", path: handle.path ?? handle.openedAs, code, text }))

  const reopen = (handle: Handle): Effect.Effect<void, DiskError> =>
    Effect.suspend((): Effect.Effect<void, DiskError> => {
      if (handle.closed) return failure(handle, "EBADF", "file already closed")
      if (handle.path === undefined) return failure(handle, "ENOENT", "no such file or directory")
      return Effect.flatMap(openReal(handle.reopen(handle.path)), (file) => {
        if (handle.file === undefined && !handle.closed) {
          handle.file = file
          return Effect.void
        }
        // A concurrent use of the handle has reopened the file already.
        return Effect.andThen(file.close, Effect.sync(giveBack))
      })
    })

  const release = (handle: Handle): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (--handle.users > 0) return Effect.void
      if (handle.closed || handle.path === undefined) return closeReal(handle)
      idle.add(handle)
      wakeOne()
      return Effect.void
    })

  const use = <A>(
    handle: Handle,
    operation: (file: DiskFile) => Effect.Effect<A, DiskError>
  ): Effect.Effect<A, DiskError> =>
    Effect.suspend((): Effect.Effect<A, DiskError> => {
      const { file } = handle
      if (file === undefined) return Effect.andThen(reopen(handle), use(handle, operation))
      handle.users++
      idle.delete(handle)
      return Effect.ensuring(operation(file), release(handle))
    }).pipe(Effect.uninterruptible)

  const close = (handle: Handle): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (handle.closed) return Effect.void
      handle.closed = true
      handles.remove(handle)
      return handle.users > 0 ? Effect.void : closeReal(handle)
    })

  const open = (
    path: string,
    first: (path: string) => Effect.Effect<DiskFile, DiskError>,
    again: (path: string) => Effect.Effect<DiskFile, DiskError>
  ): Effect.Effect<DiskFile, DiskError> =>
    Effect.map(openReal(first(path)), (file): DiskFile => {
      const handle = new Handle(path, again, file)
      handles.add(path, handle)
      idle.add(handle)
      wakeOne()
      return {
        read: (buffer, position) => use(handle, (file) => file.read(buffer, position)),
        write: (buffers, position) => use(handle, (file) => file.write(buffers, position)),
        sync: use(handle, (file) => file.sync),
        truncate: (size) => use(handle, (file) => file.truncate(size)),
        size: use(handle, (file) => file.size),
        close: close(handle)
      }
    }).pipe(Effect.uninterruptible)

  /** The files of these handles are removed. */
  const detach = (detached: ReadonlyArray<Handle>): Effect.Effect<void> =>
    Effect.forEach(detached, (handle) =>
      Effect.suspend(() => {
        handle.path = undefined
        return handle.users > 0 ? Effect.void : closeReal(handle)
      }), { discard: true })

  return Disk.of({
    ...disk,
    open: (path) => open(path, disk.open, disk.open),
    create: (path) => open(path, disk.create, disk.openExisting),
    openDurable: (path) => open(path, disk.openDurable, disk.openDurable),
    openExisting: (path) => open(path, disk.openExisting, disk.openExisting),
    rename: (from, to) =>
      Effect.tap(disk.rename(from, to), () =>
        Effect.suspend(() => {
          const replaced = handles.take(to)
          for (const handle of handles.take(from)) handles.add(to, handle)
          return detach(replaced)
        })),
    remove: (path) => Effect.tap(disk.remove(path), () => Effect.suspend(() => detach(handles.take(path)))),
    list: (directory) => brief(disk.list(directory)),
    readText: (path) => brief(disk.readText(path)),
    writeText: (path, text) => brief(disk.writeText(path, text)),
    syncDirectory: (directory) => brief(disk.syncDirectory(directory))
  })
}

/** The Disk of the environment with at most `limit` open files. */
export const layer = (limit: number): Layer.Layer<Disk, never, Disk> =>
  Layer.effect(Disk, Effect.map(Disk, (disk) => make(disk, limit)))
