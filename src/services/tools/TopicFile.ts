/**
 * The file of a topic in `nsq_to_file`: opened under the name of the time, never over another one, and moved to the output
 * directory when it is finished. For one fiber at a time.
 *
 * With gzip, the bytes between two syncs are a gzip member, so that a file can be read up to its last sync.
 */
import { Cause, Clock, Effect, Option } from "effect"
import * as Path from "node:path"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import * as FileNames from "./FileNames.ts"
import * as OutputDirectory from "./OutputDirectory.ts"
import { type OutputFile, OutputFiles } from "./OutputFiles.ts"
import { type ToolError, toolError } from "./ToolError.ts"

/** The options that a topic's file depends on. */
export interface FileSettings extends FileNames.NameSettings {
  readonly outputDir: string
  readonly workDir: string
  readonly gzipLevel: number
  /** Uncompressed bytes after which a new file is begun; 0 for no limit. */
  readonly rotateSize: number
  /** Age in ms after which a new file is begun; 0 for no limit. */
  readonly rotateInterval: number
}

const compress = promisify(gzip)
const newline = Buffer.from("\n")

interface OpenFile {
  readonly path: string
  readonly file: OutputFile
  readonly base: FileNames.BaseName
  readonly revision: number
  /** Milliseconds since the Unix epoch. */
  readonly openedAt: number
  /** Uncompressed bytes, including those of an existing file. */
  size: number
  /** Bytes of the file at its last sync. */
  synced: number
  /** Bytes in the file. */
  written: number
  /** Whether the directory entry is on disk. */
  named: boolean
}

/** Returns the first error, or the defect as an error. */
const reasonOf = (cause: Cause.Cause<ToolError>): ToolError =>
  Option.getOrElse(Cause.findErrorOption(cause), () => toolError("FileFailure", Cause.pretty(cause)))

type FileEffect<A> = Effect.Effect<A, ToolError, OutputFiles>

/** The file of a topic. */
export class TopicFile {
  private readonly topic: string
  private readonly settings: FileSettings
  private current: OpenFile | undefined
  /** Lines that are not in the file yet. */
  private pending: Array<Uint8Array> = []
  private last: { readonly base: FileNames.BaseName; readonly revision: number } | undefined
  /** The first failure. After it nothing is written, and earlier writes without a sync never count as synced. */
  private failure: ToolError | undefined

  constructor(topic: string, settings: FileSettings) {
    this.topic = topic
    this.settings = settings
  }

  get isOpen(): boolean {
    return this.current !== undefined
  }

  /** Whether an operation has failed; all others then fail with the same error. */
  get hasFailed(): boolean {
    return this.failure !== undefined
  }

  /** Whether files are never appended to, so that each needs a new revision. */
  private get isExclusive(): boolean {
    return this.settings.gzip || this.settings.rotateInterval > 0
  }

  private guard<A>(effect: FileEffect<A>): FileEffect<A> {
    return Effect.suspend(() =>
      this.failure !== undefined
        ? Effect.fail(this.failure)
        : Effect.tapCause(effect, (cause) => Effect.sync(() => void (this.failure ??= reasonOf(cause))))
    ).pipe(Effect.uninterruptible)
  }

  private readonly nameNow = Effect.map(Clock.currentTimeMillis, (now) => ({
    now,
    base: FileNames.baseName(this.settings, this.topic, new Date(now))
  }))

  /** Returns why the open file must be finished before the next write, or `undefined`. */
  readonly rotation: Effect.Effect<string | undefined> = Effect.suspend(() => {
    const { current, settings } = this
    if (current === undefined) return Effect.undefined
    return Effect.map(this.nameNow, ({ base, now }) => {
      if (base !== current.base) {
        return `new filename ${FileNames.fileName(settings, base, 0)}, rotating...`
      }
      const age = now - current.openedAt
      if (settings.rotateInterval > 0 && age > settings.rotateInterval) {
        return `${age}ms since last open, rotating...`
      }
      return settings.rotateSize > 0 && current.size > settings.rotateSize
        ? `${current.path} currently ${current.size} bytes (> ${settings.rotateSize}), rotating...`
        : undefined
    })
  })

  /** Opens the file for the current time, with the next revision if the name is taken. */
  readonly open: FileEffect<void> = this.guard(Effect.gen({ self: this }, function*() {
    const { settings } = this
    const { base, now } = yield* this.nameNow
    let revision = this.last?.base === base ? this.last.revision : 0
    while (true) {
      const name = FileNames.fileName(settings, base, revision)
      const opened = yield* this.tryOpen(name)
      if (opened !== undefined) {
        const { file, path } = opened
        yield* Effect.logInfo(`opening ${path}`)
        this.current = {
          path,
          file,
          base,
          revision,
          openedAt: now,
          size: file.size,
          synced: file.size,
          written: file.size,
          named: false
        }
        // A record cut off by a crash or a full disk must not merge with the next one.
        if (file.endsInLine) this.pending.push(newline)
        this.last = { base, revision }
        return
      }
      if (!settings.hasRevisions) return yield* toolError("FileFailure", `cannot open ${name}`)
      revision++
    }
  }))

  /** Returns `undefined` if the name is taken. */
  private readonly tryOpen = Effect.fnUntraced({ self: this }, function*(name: string) {
    const { outputDir, rotateSize, workDir } = this.settings
    const files = yield* OutputFiles
    const sizeOf = (path: string) => Effect.mapError(files.size(path), OutputDirectory.because(`opening ${path}`))
    if (workDir !== outputDir) {
      const target = Path.join(outputDir, name)
      if ((yield* sizeOf(target)) !== undefined) {
        yield* Effect.logWarning(`output file already exists: ${target}`)
        return undefined
      }
    }
    const path = yield* OutputDirectory.prepare(workDir, name)
    const existing = yield* sizeOf(path)
    if (existing !== undefined && this.isExclusive) {
      yield* Effect.logWarning(`working file already exists: ${path}`)
      return undefined
    }
    if (existing !== undefined && rotateSize > 0 && existing > rotateSize) {
      yield* Effect.logInfo(`${path} currently ${existing} bytes (> ${rotateSize}), rotating...`)
      return undefined
    }
    const file = yield* files.open(path, this.isExclusive ? "new" : "append").pipe(
      Effect.catchIf(
        ({ code }) => code === "EEXIST",
        () => Effect.as(Effect.logWarning(`working file already exists: ${path}`), undefined)
      ),
      Effect.mapError(OutputDirectory.because(`opening ${path}`))
    )
    return file === undefined ? undefined : { path, file }
  })

  /** Adds a line. It is on disk only after `sync`. */
  write(body: Uint8Array): void {
    if (this.current === undefined) throw new Error("invariant: write to a file that is not open")
    this.pending.push(body, newline)
    this.current.size += body.length + newline.length
  }

  /** Writes pending lines to the file, visible to readers; compressed files wait for the next sync. */
  readonly flush: FileEffect<void> = this.guard(
    Effect.suspend(() => this.settings.gzip ? Effect.void : this.writeOut(Effect.succeed))
  )

  /** Completes when everything written is on disk. */
  readonly sync: FileEffect<void> = this.guard(Effect.gen({ self: this }, function*() {
    const { current, settings } = this
    if (current === undefined) return
    yield* this.writeOut((bytes) => settings.gzip ? this.compress(current, bytes) : Effect.succeed(bytes))
    const failed = OutputDirectory.because(`failed to fsync output file: ${current.path}`)
    yield* Effect.mapError(current.file.sync, failed)
    if (!current.named) {
      const files = yield* OutputFiles
      yield* Effect.mapError(files.syncDirectory(Path.dirname(current.path)), failed)
      current.named = true
    }
    current.synced = current.written
  }))

  private compress({ path }: OpenFile, bytes: Buffer): Effect.Effect<Buffer, ToolError> {
    return Effect.tryPromise({
      try: () => compress(bytes, { level: this.settings.gzipLevel }),
      catch: (cause) => toolError("FileFailure", `compressing for ${path}: ${String(cause)}`)
    })
  }

  private writeOut(encode: (bytes: Buffer) => Effect.Effect<Buffer, ToolError>): FileEffect<void> {
    const { current, pending } = this
    if (current === undefined || pending.length === 0) return Effect.void
    this.pending = []
    return Effect.gen(function*() {
      const encoded = yield* encode(Buffer.concat(pending))
      yield* Effect.mapError(current.file.write(encoded), OutputDirectory.because("writing message to disk"))
      current.written += encoded.length
    })
  }

  /** Syncs and closes the file, and moves it to the output directory. */
  readonly finish: FileEffect<void> = this.guard(Effect.gen({ self: this }, function*() {
    const { current } = this
    if (current === undefined) return
    yield* this.sync
    this.current = undefined
    yield* Effect.mapError(current.file.close, OutputDirectory.because(`closing ${current.path}`))
    if (this.settings.workDir !== this.settings.outputDir) yield* this.move(current)
  }))

  /**
   * Closes a file after a failure. A file that is never appended to is truncated to its last sync, because a partial gzip
   * member makes it unreadable; nsqd redelivers the messages.
   */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() => {
    const { current } = this
    this.current = undefined
    this.pending = []
    if (current === undefined) return Effect.void
    const { file, path, synced } = current
    return (this.isExclusive ? file.truncate(synced) : Effect.void).pipe(
      Effect.catch((error) => Effect.logWarning(`cannot remove unsynced bytes: ${error.message}`)),
      Effect.andThen(file.close),
      Effect.catch((error) => Effect.logWarning(error.message)),
      Effect.andThen(Effect.logWarning(`${path} keeps the content of its last sync`))
    )
  })

  /** Gives the next file another revision. */
  nextRevision(): void {
    if (this.last !== undefined) this.last = { ...this.last, revision: this.last.revision + 1 }
  }

  private readonly move = Effect.fnUntraced({ self: this }, function*({ base, path, revision }: OpenFile) {
    for (let next = revision;; next++) {
      const name = FileNames.fileName(this.settings, base, next)
      const target = yield* OutputDirectory.prepare(this.settings.outputDir, name)
      if (yield* OutputDirectory.move(path, target)) {
        return yield* Effect.logInfo(
          next === revision
            ? `moving finished file ${path} to ${target}`
            : `renamed finished file ${path} to ${target} to avoid overwrite`
        )
      }
      yield* Effect.logWarning(`destination file already exists: ${target}`)
    }
  })
}
