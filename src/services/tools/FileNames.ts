/**
 * The file names of `nsq_to_file` (docs/protocol/tools.md#file-names): a format with placeholders for topic, host, time and
 * revision. Pure.
 */
import { hostname } from "node:os"

/** The options that file names depend on. */
export interface NameSettings {
  readonly filenameFormat: string
  readonly datetimeFormat: string
  readonly hostIdentifier: string
  readonly gzip: boolean
  /** Whether names have revisions; the format then needs `<REV>`. */
  readonly hasRevisions: boolean
}

/** A name in which only `<REV>` is not replaced yet. */
export type BaseName = string

const revisionPlace = "<REV>"

const two = (value: number): string => String(value).padStart(2, "0")
const names = (date: Date, options: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat("en-US", options).format(date)

const offset = (date: Date): string => {
  const minutes = -date.getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${two(size % 60)}`
}

const tokens: { readonly [token: string]: (date: Date) => string } = {
  B: (date) => names(date, { month: "long" }),
  b: (date) => names(date, { month: "short" }),
  m: (date) => two(date.getMonth() + 1),
  A: (date) => names(date, { weekday: "long" }),
  a: (date) => names(date, { weekday: "short" }),
  d: (date) => two(date.getDate()),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  M: (date) => two(date.getMinutes()),
  S: (date) => two(date.getSeconds()),
  Y: (date) => String(date.getFullYear()),
  y: (date) => two(date.getFullYear() % 100),
  p: (date) => date.getHours() < 12 ? "AM" : "PM",
  Z: (date) => names(date, { timeZoneName: "short" }).split(", ").at(-1) ?? "",
  z: offset,
  "%": () => "%"
}

/** Formats a local time in strftime's notation; unknown directives stay unchanged. */
export const formatTime = (format: string, date: Date): string =>
  format.replaceAll(/%(.)/gs, (text, token: string) => tokens[token]?.(date) ?? text)

const shortHost = (): string => hostname().split(".")[0] ?? ""

/** Returns the name for a time. */
export const baseName = (settings: NameSettings, topic: string, date: Date): BaseName => {
  const host = settings.hostIdentifier === ""
    ? shortHost()
    : settings.hostIdentifier.replaceAll("<SHORT_HOST>", shortHost).replaceAll("<HOSTNAME>", hostname)
  const places: { readonly [place: string]: string } = {
    "<TOPIC>": topic,
    "<HOST>": host,
    "<PID>": String(process.pid),
    "<DATETIME>": formatTime(settings.datetimeFormat, date)
  }
  const name = settings.filenameFormat.replaceAll(/<(?:TOPIC|HOST|PID|DATETIME)>/g, (place) => places[place] ?? place)
  return settings.gzip && !name.endsWith(".gz") ? `${name}.gz` : name
}

/** Returns the name with its revision. */
export const fileName = (settings: NameSettings, base: BaseName, revision: number): string =>
  base.replaceAll(revisionPlace, settings.hasRevisions ? `-${String(revision).padStart(6, "0")}` : "")

/** Returns why the format is not valid, or `undefined` if it is. */
export const problem = (settings: NameSettings): string | undefined =>
  settings.hasRevisions && !settings.filenameFormat.includes(revisionPlace)
    ? "missing <REV> in --filename-format when gzip, rotation, or work dir enabled"
    : undefined
