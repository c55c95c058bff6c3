/** The files of an artefact, in memory: what an archive contains, independently of its format. */
import * as Fs from "node:fs"
import * as Path from "node:path"

/** An entry of an archive. Paths have no leading slash; every entry belongs to root unless it has an `owner`. */
export type Entry =
  | { readonly path: string; readonly type: "directory"; readonly mode?: number; readonly owner?: number }
  | { readonly path: string; readonly type: "file"; readonly data: Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly type: "link"; readonly target: string }

/** Returns a file with a text. */
export const text = (path: string, content: string, mode = 0o644): Entry => ({
  path,
  type: "file",
  data: Buffer.from(content),
  mode
})

/** Returns a copy of a file; symbolic links are followed. */
export const copy = (path: string, source: string, mode = 0o644): Entry => ({
  path,
  type: "file",
  data: Fs.readFileSync(source),
  mode
})

/** Returns copies of all files below a directory. Files that their owner may execute stay executable. */
export const copies = (path: string, source: string): ReadonlyArray<Entry> =>
  Fs.readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = Path.join(entry.parentPath, entry.name)
      const isExecutable = (Fs.statSync(file).mode & 0o100) !== 0
      return copy(Path.posix.join(path, Path.relative(source, file)), file, isExecutable ? 0o755 : 0o644)
    })

/** Returns the entries sorted by path, with the directories that they are in. Fails if two entries have one path. */
export const complete = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> => {
  const byPath = new Map<string, Entry>()
  for (const entry of entries) {
    if (byPath.has(entry.path)) throw new Error(`two entries have the path ${entry.path}`)
    byPath.set(entry.path, entry)
  }
  for (const { path } of entries) {
    for (let above = Path.posix.dirname(path); above !== "."; above = Path.posix.dirname(above)) {
      if (!byPath.has(above)) byPath.set(above, { path: above, type: "directory" })
    }
  }
  return Array.from(byPath.values()).toSorted((a, b) => a.path < b.path ? -1 : 1)
}
