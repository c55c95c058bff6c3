/**
 * The files of the history: names, tiers and points. Each UTC day has a file of names and a file per tier, `2026-11-29.names`,
 * `2026-11-29.1m` and `2026-11-29.10m`. A line of names is a series, and its number the place of its ring of points in the other
 * files. Parts that nothing has written are holes and read as unknown points. Pure.
 */
import { isChannelName, isTopicName } from "../../protocol/client/Names.ts"
import type { PointFigures } from "./Rings.ts"

/** Milliseconds of a day. */
export const dayMillis = 86_400_000

/** A resolution of the history. */
export interface Tier {
  /** The extension of its files. */
  readonly name: "1m" | "10m"
  /** Milliseconds of a point. */
  readonly millis: number
  /** Days for which it is kept, including the current one; the retention may be shorter. */
  readonly days: number
}

/** Two whole days, so that a day can be compared with the one before. */
export const minutes: Tier = { name: "1m", millis: 60_000, days: 3 }

/** The resolution of older points. */
export const tenMinutes: Tier = { name: "10m", millis: 600_000, days: Infinity }

/** All tiers, the finest first. */
export const tiers: ReadonlyArray<Tier> = [minutes, tenMinutes]

/** Bytes of a point: five figures in single precision. */
export const pointBytes = 20

/** Returns the bytes of the points of a series in the file of a day. */
export const ringBytes = ({ millis }: Tier): number => dayMillis / millis * pointBytes

/** Makes the zeroes of a hole unknown: figures are stored as the difference of their bits to those of NaN. */
const nan = 0x7fc00000

const figures = ["backlog", "rate", "finish_rate", "requeue_rate", "timeout_rate"] as const

/** Writes a point into a buffer. */
export const encode = (point: PointFigures, buffer: Buffer, offset: number): void => {
  for (let i = 0; i < figures.length; i++) {
    const value = point[figures[i] ?? "backlog"]
    const at = offset + i * 4
    buffer.writeFloatLE(value ?? NaN, at)
    buffer.writeInt32LE(value === null ? 0 : buffer.readInt32LE(at) ^ nan, at)
  }
}

const scratch = Buffer.alloc(4)

/** Reads a figure. Damaged bytes may be any number: what cannot be a figure is unknown. */
const figure = (buffer: Buffer, at: number): number | null => {
  scratch.writeInt32LE(buffer.readInt32LE(at) ^ nan)
  const value = scratch.readFloatLE()
  return Number.isFinite(value) && value >= 0 ? Math.round(value * 1000) / 1000 : null
}

/** Reads a point; undefined if it is unknown. */
export const decode = (buffer: Buffer, offset: number): PointFigures | undefined => {
  const backlog = figure(buffer, offset)
  if (backlog === null) return undefined
  return {
    backlog,
    rate: figure(buffer, offset + 4),
    finish_rate: figure(buffer, offset + 8),
    requeue_rate: figure(buffer, offset + 12),
    timeout_rate: figure(buffer, offset + 16)
  }
}

/** Returns the name of a series over all nsqds. `channel` is empty for that of the topic. */
export const seriesName = (topic: string, channel: string): string => channel === "" ? topic : `${topic} ${channel}`

/** The first line of a file of names. */
export const header = "effect-nsq history 1\n"

/** The names of a file, and its size without an incomplete last line. */
export interface Names {
  readonly slots: Map<string, number>
  readonly bytes: number
}

const isSeriesName = (line: string): boolean => {
  const [topic = "", channel, ...rest] = line.split(" ")
  return isTopicName(topic) && (channel === undefined || isChannelName(channel)) && rest.length === 0
}

/** Parses a file of names; undefined if it is damaged. An incomplete last line is what a killed process leaves. */
export const parseNames = (text: string): Names | undefined => {
  if (!text.startsWith(header)) return undefined
  const complete = text.slice(0, text.lastIndexOf("\n") + 1)
  const lines = complete.slice(header.length).split("\n").slice(0, -1)
  const slots = new Map(lines.map((line, i) => [line, i]))
  return lines.every(isSeriesName) && slots.size === lines.length ? { slots, bytes: complete.length } : undefined
}

/** Returns the number of the UTC day of a time in Unix milliseconds. */
export const dayOf = (at: number): number => Math.floor(at / dayMillis)

/** Returns the name of the files of a day, without extension. */
export const fileOf = (day: number): string => new Date(day * dayMillis).toISOString().slice(0, 10)

const file = /^(\d{4}-\d\d-\d\d)\.(names|1m|10m)(?:\.damaged)?$/

/** Whether a file of the directory is older than the retention, in days, or than that of its tier. Never for other files. */
export const isExpired = (name: string, today: number, retentionDays: number): boolean => {
  const [, date, extension] = file.exec(name) ?? []
  if (date === undefined) return false
  const age = today - dayOf(Date.parse(date))
  const kept = tiers.find((tier) => tier.name === extension)?.days ?? Infinity
  return age >= Math.min(kept, retentionDays + 1)
}
