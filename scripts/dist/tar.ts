/**
 * Archives with the same bytes for the same entries: in the POSIX format `ustar`, with one time for all entries, root as the owner, and
 * the order of the paths.
 */
import * as Zlib from "node:zlib"
import { complete, type Entry } from "./tree.ts"

const blockSize = 512

const octal = (value: number, size: number): string => `${value.toString(8).padStart(size - 1, "0")}\0`

/** Splits a path between the two fields of a header. */
const split = (path: string): readonly [prefix: string, name: string] => {
  if (path.length <= 100) return ["", path]
  const at = path.indexOf("/", path.length - 101)
  if (at <= 0 || at > 155) throw new Error(`the path ${path} is too long for an archive`)
  return [path.slice(0, at), path.slice(at + 1)]
}

const types = { file: "0", link: "2", directory: "5" } as const

const header = (entry: Entry, time: number): Buffer => {
  const block = Buffer.alloc(blockSize)
  const [prefix, name] = split(entry.type === "directory" ? `${entry.path}/` : entry.path)
  const mode = entry.type === "link" ? 0o777 : entry.mode ?? (entry.type === "directory" ? 0o755 : 0o644)
  const owner = entry.type === "directory" ? entry.owner ?? 0 : 0
  block.write(name, 0, 100)
  block.write(octal(mode, 8), 100)
  block.write(octal(owner, 8), 108)
  block.write(octal(owner, 8), 116)
  block.write(octal(entry.type === "file" ? entry.data.length : 0, 12), 124)
  block.write(octal(time, 12), 136)
  block.write(" ".repeat(8), 148)
  block.write(types[entry.type], 156)
  if (entry.type === "link") block.write(entry.target, 157, 100)
  block.write("ustar\u000000", 257)
  if (owner === 0) {
    block.write("root", 265)
    block.write("root", 297)
  }
  block.write(prefix, 345, 155)
  const sum = block.reduce((sum, byte) => sum + byte, 0)
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148)
  return block
}

/** Returns an archive. `time` is in seconds; `prefix` precedes each path. */
export const tar = (entries: ReadonlyArray<Entry>, time: number, prefix = ""): Buffer => {
  const blocks: Array<Uint8Array> = []
  for (const entry of complete(entries)) {
    blocks.push(header({ ...entry, path: prefix + entry.path }, time))
    if (entry.type !== "file") continue
    blocks.push(entry.data, Buffer.alloc((blockSize - entry.data.length % blockSize) % blockSize))
  }
  blocks.push(Buffer.alloc(2 * blockSize))
  return Buffer.concat(blocks)
}

/** Compresses with gzip, without a time in the header. */
export const gzip = (data: Uint8Array, level = 9): Buffer => Zlib.gzipSync(data, { level })
