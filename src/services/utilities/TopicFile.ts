/**
 * The file that `nsq_to_file` writes a topic to: opened under the name of the moment, never over another one, moved to the
 * output directory when it is finished. Used by one fiber at a time.
 *
 * With gzip what was written since the last sync is a gzip member of its own, so that a file can be read up to there.
 */
import { Clock, Effect } from "effect"
import { type FileHandle, link, mkdir, open, stat, unlink } from "node:fs/promises"
import * as Path from "node:path"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import * as FileNames from "./FileNames.ts"
import { type ToolError, toolError } from "./ToolError.ts"

export interface FileSettings extends FileNames.NameSettings {
  readonly outputDir: string
  readonly workDir: string
  readonly gzipLevel: number
  /** Bytes, uncompressed; 0 for no limit. */
  readonly rotateSize: number
  /** Milliseconds; 0 for no limit. */
  readonly rotateInterval: number
}

/** Directories 0770, files 0666, as NSQ's; the umask applies. */
const directoryMode = 0o770
const compress = promisify(gzip)

interface OpenFile {
  readonly path: string
  readonly handle: FileHandle
  readonly base: FileNames.BaseName
  readonly revision: number
  /** Milliseconds since the epoch. */
  readonly openedAt: number
  /** Uncompressed bytes, those of an existing file included. */
  size: number
}

const attempt = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, ToolError> =>
  Effect.tryPromise({
    try: run,
    catch: (error) => toolError(`FATAL: ${what}: ${error instanceof Error ? error.message : String(error)}`)
  })

const sizeOf = (path: string): Effect.Effect<number | undefined> =>
  Effect.promise(() => stat(path).then(({ size }) => size, () => undefined))

export class TopicFile {
  private readonly topic: string
  private readonly settings: FileSettings
  private current: OpenFile | undefined
  /** Written to this object and not to the file yet. */
  private pending: Array<Uint8Array> = []
  private last: { readonly base: FileNames.BaseName; readonly revision: number } | undefined

  constructor(topic: string, settings: FileSettings) {
    this.topic = topic
    this.settings = settings
  }

  get isOpen(): boolean {
    return this.current !== undefined
  }

  private readonly nameNow = Effect.map(Clock.currentTimeMillis, (now) => ({
    now,
    base: FileNames.baseName(this.settings, this.topic, new Date(now))
  }))

  /** Why the open file has to be finished before anything else is written, if so. */
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

  /** Opens the file of the moment, the next revision where that is taken. */
  readonly open: Effect.Effect<void, ToolError> = Effect.gen({ self: this }, function*() {
    const { settings } = this
    const { base, now } = yield* this.nameNow
    // A file that is never reused needs a new revision also when it is closed and opened again.
    const exclusive = settings.gzip || settings.rotateInterval > 0
    let revision = this.last?.base === base ? this.last.revision : 0
    while (true) {
      const name = FileNames.fileName(settings, base, revision)
      const opened = yield* this.tryOpen(name, exclusive)
      if (opened !== undefined) {
        yield* Effect.logInfo(`opening ${opened.path}`)
        this.current = { ...opened, base, revision, openedAt: now }
        this.last = { base, revision }
        return
      }
      if (!settings.hasRevisions) return yield* toolError(`FATAL: cannot open ${name}`)
      revision++
    }
  })

  /** Undefined when the name is taken. */
  private readonly tryOpen = Effect.fnUntraced({ self: this }, function*(name: string, exclusive: boolean) {
    const { outputDir, rotateSize, workDir } = this.settings
    const path = Path.join(workDir, name)
    if (workDir !== outputDir && (yield* sizeOf(Path.join(outputDir, name))) !== undefined) {
      yield* Effect.logWarning(`output file already exists: ${Path.join(outputDir, name)}`)
      return undefined
    }
    yield* attempt(
      `cannot create ${Path.dirname(path)}`,
      () => mkdir(Path.dirname(path), { recursive: true, mode: directoryMode })
    )
    const existing = yield* sizeOf(path)
    if (existing !== undefined && exclusive) {
      yield* Effect.logWarning(`working file already exists: ${path}`)
      return undefined
    }
    if (existing !== undefined && rotateSize > 0 && existing > rotateSize) {
      yield* Effect.logInfo(`${path} currently ${existing} bytes (> ${rotateSize}), rotating...`)
      return undefined
    }
    const handle = yield* attempt(`opening ${path}`, () => open(path, exclusive ? "wx" : "a"))
    return { path, handle, size: existing ?? 0 }
  })

  /** Adds a line. What is in the file is certain after `sync` only. */
  write(body: Uint8Array): void {
    if (this.current === undefined) throw new Error("invariant: written to a file that is not open")
    this.pending.push(body, newline)
    this.current.size += body.length + newline.length
  }

  /** Hands what was written to the operating system, for others to see; compressed files wait for the next sync. */
  readonly flush: Effect.Effect<void, ToolError> = Effect.suspend(() =>
    this.settings.gzip || this.pending.length === 0 ? Effect.void : this.writeOut((bytes) => Promise.resolve(bytes))
  )

  /** Completes once everything written is on the disk. */
  readonly sync: Effect.Effect<void, ToolError> = Effect.gen({ self: this }, function*() {
    const { current, settings } = this
    if (current === undefined) return
    if (this.pending.length > 0) {
      yield* this.writeOut((bytes) =>
        settings.gzip ? compress(bytes, { level: settings.gzipLevel }) : Promise.resolve(bytes)
      )
    }
    yield* attempt(`failed to fsync output file: ${current.path}`, () => current.handle.sync())
  })

  private writeOut(encode: (bytes: Buffer) => Promise<Buffer>): Effect.Effect<void, ToolError> {
    const { current } = this
    const bytes = Buffer.concat(this.pending)
    this.pending = []
    if (current === undefined) return Effect.void
    return attempt(`writing message to disk: ${current.path}`, async () => {
      const encoded = await encode(bytes)
      for (let at = 0; at < encoded.length;) at += (await current.handle.write(encoded, at)).bytesWritten
    })
  }

  /** Finishes the file: syncs it, closes it and moves it to the output directory. */
  readonly finish: Effect.Effect<void, ToolError> = Effect.gen({ self: this }, function*() {
    const { current } = this
    if (current === undefined) return
    yield* this.sync
    this.current = undefined
    yield* attempt(`closing ${current.path}`, () => current.handle.close())
    if (this.settings.workDir !== this.settings.outputDir) yield* this.move(current)
  })

  /** The next file gets another revision. */
  nextRevision(): void {
    if (this.last !== undefined) this.last = { ...this.last, revision: this.last.revision + 1 }
  }

  private readonly move = Effect.fnUntraced({ self: this }, function*({ base, path, revision }: OpenFile) {
    for (let next = revision;; next++) {
      const target = Path.join(this.settings.outputDir, FileNames.fileName(this.settings, base, next))
      yield* attempt(
        `cannot create ${Path.dirname(target)}`,
        () => mkdir(Path.dirname(target), { recursive: true, mode: directoryMode })
      )
      const linked = yield* attempt(
        `moving ${path} to ${target}`,
        () => link(path, target).then(() => true, (error) => error.code === "EEXIST" ? false : Promise.reject(error))
      )
      if (linked) {
        yield* attempt(`removing ${path}`, () => unlink(path))
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

const newline = Buffer.from("\n")
