/**
 * Reads and writes the files of the history in one directory, for one nsqadmin at a time. Node's thread pool does the work, one request
 * after another, so that it delays nothing else. Nothing is synced: what a loss of power leaves is still read.
 */
import { Effect } from "effect"
import type { FileHandle } from "node:fs/promises"
import { mkdir, open, readdir, readFile, rename, rm, truncate } from "node:fs/promises"
import { join } from "node:path"
import * as Format from "./HistoryFormat.ts"
import { NsqadminError, NsqadminErrorReason } from "./NsqadminError.ts"
import type { PointsAt } from "./PointMeans.ts"
import type { PointFigures } from "./Rings.ts"

/** Limit for series of a day; further topics and channels have no history. A series of a busy topic takes up to 110 kB in 3 days. */
export const maxSeries = 10_000

/** Limit for days whose names are in memory. */
const maxDays = 10

/** A point of a series. */
export interface StoredPoint {
  /** Unix milliseconds: the start of the point. */
  readonly at: number
  readonly point: PointFigures
}

/** The day that is written. */
interface Writing {
  readonly day: number
  readonly names: FileHandle
  readonly tiers: ReadonlyMap<Format.Tier, FileHandle>
}

const isMissing = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "ENOENT"

const edge = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, NsqadminError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => {
      const description = `cannot ${what}: ${cause instanceof Error ? cause.message : String(cause)}`
      return new NsqadminError({ reason: NsqadminErrorReason.HistoryFailure({ description }) })
    }
  })

/** The files of a directory. Its operations must not overlap. */
export class HistoryFiles {
  private readonly directory: string
  private readonly days = new Map<number, Format.Names>()
  private readonly damaged: Array<string> = []
  private writing: Writing | undefined

  constructor(directory: string) {
    this.directory = directory
  }

  /** Returns the damaged files that have been set aside since the last call. */
  takeDamaged(): ReadonlyArray<string> {
    return this.damaged.splice(0)
  }

  /** Creates the directory and removes expired files. */
  prepare(today: number, retentionDays: number): Effect.Effect<void, NsqadminError> {
    return edge("prepare the directory", async () => {
      await mkdir(this.directory, { recursive: true })
      for (const name of await readdir(this.directory)) {
        if (Format.isExpired(name, today, retentionDays)) await rm(join(this.directory, name), { force: true })
      }
      for (const day of this.days.keys()) if (today - day > retentionDays) this.days.delete(day)
    })
  }

  /** Writes points. Returns whether there was a place for each series. */
  write(tier: Format.Tier, { points, start }: PointsAt): Effect.Effect<boolean, NsqadminError> {
    return edge("write points", async () => {
      const day = Format.dayOf(start)
      const { names, tiers } = await this.openForWriting(day)
      const known = await this.namesOf(day)
      let added = ""
      let isComplete = true
      for (const series of points.keys()) {
        if (known.slots.has(series)) continue
        if (known.slots.size >= maxSeries) {
          isComplete = false
          break
        }
        known.slots.set(series, known.slots.size)
        added += `${series}\n`
      }
      // Names first: points without a name would become those of the next series.
      if (added !== "") {
        await names.write(added, known.bytes)
        this.days.set(day, { slots: known.slots, bytes: known.bytes + added.length })
      }
      const offset = Math.floor((start % Format.dayMillis) / tier.millis) * Format.pointBytes
      const buffer = Buffer.alloc(Format.pointBytes)
      for (const [series, { point }] of points) {
        const slot = known.slots.get(series)
        if (slot === undefined) continue
        Format.encode(point, buffer, 0)
        await tiers.get(tier)?.write(buffer, 0, buffer.length, slot * Format.ringBytes(tier) + offset)
      }
      return isComplete
    })
  }

  /** Reads the points of series from `from` to `to` in Unix milliseconds, oldest first; nothing for unknown series. */
  read(
    tier: Format.Tier,
    series: ReadonlyArray<string>,
    from: number,
    to: number
  ): Effect.Effect<ReadonlyMap<string, ReadonlyArray<StoredPoint>>, NsqadminError> {
    return edge("read points", async () => {
      const found = new Map<string, Array<StoredPoint>>(series.map((name) => [name, []]))
      for (let day = Format.dayOf(from); day <= Format.dayOf(to); day++) {
        const { slots } = await this.namesOf(day)
        if (!series.some((name) => slots.has(name))) continue
        const handle = await open(this.path(day, tier.name)).catch((error: unknown) => {
          if (isMissing(error)) return undefined
          throw error
        })
        if (handle === undefined) continue
        try {
          for (const [name, points] of found) {
            const slot = slots.get(name)
            if (slot !== undefined) points.push(...await this.pointsOf(handle, tier, day, slot, from, to))
          }
        } finally {
          await handle.close()
        }
      }
      return found
    })
  }

  /** Closes the files. */
  readonly close: Effect.Effect<void> = Effect.promise(() => this.closeWriting())

  private async pointsOf(
    handle: FileHandle,
    tier: Format.Tier,
    day: number,
    slot: number,
    from: number,
    to: number
  ): Promise<ReadonlyArray<StoredPoint>> {
    const midnight = day * Format.dayMillis
    const first = Math.max(0, Math.floor((from - midnight) / tier.millis))
    const last = Math.min(Format.dayMillis / tier.millis - 1, Math.floor((to - midnight) / tier.millis))
    const buffer = Buffer.alloc((last - first + 1) * Format.pointBytes)
    // Where the file ends, the buffer keeps its zeroes, which are unknown points.
    await handle.read(buffer, 0, buffer.length, slot * Format.ringBytes(tier) + first * Format.pointBytes)
    const points: Array<StoredPoint> = []
    for (let i = 0; i <= last - first; i++) {
      const point = Format.decode(buffer, i * Format.pointBytes)
      if (point !== undefined) points.push({ at: midnight + (first + i) * tier.millis, point })
    }
    return points
  }

  private path(day: number, extension: string): string {
    return join(this.directory, `${Format.fileOf(day)}.${extension}`)
  }

  private async namesOf(day: number): Promise<Format.Names> {
    const known = this.days.get(day)
    if (known !== undefined) return known
    const path = this.path(day, "names")
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    })
    const none = { slots: new Map<string, number>(), bytes: 0 }
    // Not remembered: the day may come.
    if (text === undefined) return none
    const parsed = Format.parseNames(text)
    if (parsed === undefined) await this.setAside(day)
    const names = parsed ?? none
    const oldest = [...this.days.keys()].find((other) => other !== this.writing?.day)
    if (this.days.size >= maxDays && oldest !== undefined) this.days.delete(oldest)
    if (parsed !== undefined) this.days.set(day, names)
    return names
  }

  /** Without its names, the points of a day belong to no series. */
  private async setAside(day: number): Promise<void> {
    for (const extension of ["names", ...Format.tiers.map(({ name }) => name)]) {
      const path = this.path(day, extension)
      await rename(path, `${path}.damaged`).catch((error: unknown) => {
        if (!isMissing(error)) throw error
      })
    }
    this.damaged.push(this.path(day, "names"))
  }

  private async openForWriting(day: number): Promise<Writing> {
    if (this.writing?.day === day) return this.writing
    await this.closeWriting()
    const known = await this.namesOf(day)
    const handle = async (extension: string): Promise<FileHandle> => {
      const path = this.path(day, extension)
      return await open(path, "r+").catch((error: unknown) => {
        if (isMissing(error)) return open(path, "w+")
        throw error
      })
    }
    const names = await handle("names")
    if (known.bytes === 0) {
      await names.write(Format.header, 0)
      this.days.set(day, { slots: known.slots, bytes: Format.header.length })
    } else await truncate(this.path(day, "names"), known.bytes)
    const tiers = new Map<Format.Tier, FileHandle>()
    for (const tier of Format.tiers) tiers.set(tier, await handle(tier.name))
    this.writing = { day, names, tiers }
    return this.writing
  }

  private async closeWriting(): Promise<void> {
    const writing = this.writing
    this.writing = undefined
    if (writing === undefined) return
    await writing.names.close()
    for (const handle of writing.tiers.values()) await handle.close()
  }
}
