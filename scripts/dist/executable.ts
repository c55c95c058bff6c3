/**
 * All programs in one executable, with Node: a link to it that has the name of a program is that program. Its code is one script of
 * CommonJS, the only form that Node 24 runs from inside of itself, and the pages of nsqadmin are in it.
 */
import * as esbuild from "esbuild"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import * as Path from "node:path"
import { settings } from "../bundle.ts"
import { root, version } from "./application.ts"
import { withNote } from "./elf.ts"

/** What Node changes to 1 in a copy of itself that has a program in it. */
const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:"

const pages = (): Record<string, string> => {
  const directory = Path.join(root, "dist/web")
  const files = Fs.readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name): [string, string] => [`web/${name}`, Path.join(directory, name)])
    .filter(([, path]) => Fs.statSync(path).isFile())
  return Object.fromEntries(files.toSorted(([a], [b]) => a < b ? -1 : 1))
}

/** Returns what Node reads from inside of itself: the script and the pages. */
const contentFor = async (node: string): Promise<Buffer> => {
  const directory = Fs.mkdtempSync(Path.join(tmpdir(), "executable-"))
  const inside = (name: string): string => Path.join(directory, name)
  try {
    await esbuild.build({
      ...settings,
      entryPoints: ["src/programs/nsq.ts"],
      outfile: inside("nsq.cjs"),
      format: "cjs",
      target: "node24",
      define: { ...settings.define, "import.meta.filename": "__filename", "import.meta.url": "__filename" },
      // Native code cannot be loaded from inside an executable; JavaScript replaces it.
      external: ["snappy", "@node-rs/crc32"]
    })
    const description = {
      // Relative, because the path becomes part of the executable.
      main: "nsq.cjs",
      output: "content",
      disableExperimentalSEAWarning: true,
      useCodeCache: false,
      assets: pages()
    }
    Fs.writeFileSync(inside("sea.json"), JSON.stringify(description))
    execFileSync(node, ["--experimental-sea-config", "sea.json"], { cwd: directory, stdio: "pipe" })
    return Fs.readFileSync(inside("content"))
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** Returns the name and the bytes of the executable, for Linux on x64 with the GNU C library. */
export const executable = async (): Promise<{ readonly name: string; readonly data: Buffer }> => {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(`an executable cannot be built on ${process.platform} with ${process.arch}; use Linux on x64`)
  }
  const node = Path.join(root, "node_modules/node/bin/node")
  const data = withNote(Fs.readFileSync(node), "NODE_SEA_BLOB", await contentFor(node))
  const at = data.indexOf(`${fuse}0`)
  if (at < 0) throw new Error(`${node} cannot have a program inside`)
  data.write("1", at + fuse.length)
  return { name: `effect-nsq-${version}-linux-x64`, data }
}
