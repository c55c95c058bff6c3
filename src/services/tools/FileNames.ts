/**
 * The names of the files that `nsq_to_file` writes (section 5 of the utilities' notes): a format with places for topic, host,
 * time and revision. Pure.
 */
import { hostname } from "node:os"

export interface NameSettings {
  readonly filenameFormat: string
  readonly datetimeFormat: string
  readonly hostIdentifier: string
  readonly gzip: boolean
  /** Files get numbers, for which the format needs a place. */
  readonly hasRevisions: boolean
}

/** Everything about a name but its revision, which stands as `<REV>` where it goes. */
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

/** Local time in strftime's notation; what it does not know stays as it is. */
export const formatTime = (format: string, date: Date): string =>
  format.replaceAll(/%(.)/gs, (text, token: string) => tokens[token]?.(date) ?? text)

const shortHost = (): string => hostname().split(".")[0] ?? ""

/** The name at a moment. */
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

/** The file's name. */
export const fileName = (settings: NameSettings, base: BaseName, revision: number): string =>
  base.replaceAll(revisionPlace, settings.hasRevisions ? `-${String(revision).padStart(6, "0")}` : "")

/** Why no files can be named, if so. */
export const problem = (settings: NameSettings): string | undefined =>
  settings.hasRevisions && !settings.filenameFormat.includes(revisionPlace)
    ? "missing <REV> in --filename-format when gzip, rotation, or work dir enabled"
    : undefined
