/** The format of Debian's packages: an `ar` archive of a version, a control archive and a data archive. */
import { createHash } from "node:crypto"
import { gzip, tar } from "./tar.ts"
import { type Entry, text } from "./tree.ts"

/** The content of a package. */
export interface Package {
  /** The fields of the control file, without `Installed-Size`. */
  readonly fields: Readonly<Record<string, string>>
  /** Scripts of the maintainer, such as `postinst`. */
  readonly scripts: Readonly<Record<string, string>>
  readonly files: ReadonlyArray<Entry>
  /** In seconds since 1970. */
  readonly time: number
}

const member = (name: string, data: Buffer, time: number): Buffer => {
  const header = name.padEnd(16) + String(time).padEnd(12) + "0".padEnd(6) + "0".padEnd(6) + "100644".padEnd(8) +
    String(data.length).padEnd(10) + "`\n"
  return Buffer.concat([Buffer.from(header), data, Buffer.alloc(data.length % 2, "\n")])
}

/** Returns the bytes of a package. Files below `/etc` are conffiles: an upgrade keeps the changes of the operator. */
export const deb = ({ fields, files, scripts, time }: Package): Buffer => {
  const regular = files.filter((entry) => entry.type === "file")
  const size = regular.reduce((sum, { data }) => sum + data.length, 0)
  const control = Object.entries({ ...fields, "Installed-Size": String(Math.ceil(size / 1024)) })
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("")
  const sums = regular
    .map(({ data, path }) => `${createHash("md5").update(data).digest("hex")}  ${path}\n`)
    .toSorted((a, b) => a.slice(34) < b.slice(34) ? -1 : 1)
    .join("")
  const conffiles = regular.filter(({ path }) => path.startsWith("etc/")).map(({ path }) => `/${path}\n`).join("")
  const controlEntries = [
    text("control", control),
    text("md5sums", sums),
    text("conffiles", conffiles),
    ...Object.entries(scripts).map(([name, script]) => text(name, script, 0o755))
  ]
  return Buffer.concat([
    Buffer.from("!<arch>\n"),
    member("debian-binary", Buffer.from("2.0\n"), time),
    member("control.tar.gz", gzip(tar(controlEntries, time, "./")), time),
    member("data.tar.gz", gzip(tar(files, time, "./")), time)
  ])
}
