import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import * as NodeOutputFiles from "../../../src/services/tools/NodeOutputFiles.ts"
import * as OutputDirectory from "../../../src/services/tools/OutputDirectory.ts"
import { OutputFiles } from "../../../src/services/tools/OutputFiles.ts"

const directory = (parent: string) =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(parent, "output-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
const temporary = directory(tmpdir())

/** Two directories, on different file systems on most machines. */
const memory = existsSync("/dev/shm") ? directory("/dev/shm") : temporary

describe("the output directory", () => {
  it.live("the subdirectories of a name are created, with the modes that the umask leaves", () =>
    Effect.gen(function*() {
      const root = join(yield* temporary, "new")
      const files = yield* OutputFiles
      const path = yield* OutputDirectory.prepare(root, "deep/er/x.log")
      const file = yield* files.open(path, "new")
      yield* file.write(Buffer.from("line\n"))
      yield* file.close
      assert.strictEqual(readFileSync(join(root, "deep/er/x.log"), "utf8"), "line\n")
      const umask = process.umask()
      assert.strictEqual(statSync(path).mode & 0o777, 0o666 & ~umask)
      assert.strictEqual(statSync(join(root, "deep")).mode & 0o777, 0o770 & ~umask)
    }).pipe(Effect.scoped, Effect.provide(NodeOutputFiles.layer)))

  it.live("a name with dots does not leave the output directory", () =>
    Effect.gen(function*() {
      const root = yield* temporary
      const error = yield* Effect.flip(OutputDirectory.prepare(root, "../x.log"))
      assert.strictEqual(error.message, "FATAL: the file name ../x.log leaves its directory")
    }).pipe(Effect.scoped, Effect.provide(NodeOutputFiles.layer)))

  it.live("a symbolic link to a directory does not leave the output directory, and nothing is created behind it", () =>
    Effect.gen(function*() {
      const [root, outside] = [yield* temporary, yield* temporary]
      symlinkSync(outside, join(root, "link"))
      const error = yield* Effect.flip(OutputDirectory.prepare(root, "link/deep/x.log"))
      assert.match(error.message, /a symbolic link leads out of/)
      assert.deepStrictEqual(readdirSync(outside), [])
    }).pipe(Effect.scoped, Effect.provide(NodeOutputFiles.layer)))

  it.live("the output directory may be a symbolic link and may contain links that stay inside", () =>
    Effect.gen(function*() {
      const [root, parent] = [yield* temporary, yield* temporary]
      const link = join(parent, "logs")
      symlinkSync(root, link)
      mkdirSync(join(root, "a"))
      symlinkSync("a", join(root, "b"))
      assert.strictEqual(yield* OutputDirectory.prepare(link, "b/x.log"), join(link, "b/x.log"))
    }).pipe(Effect.scoped, Effect.provide(NodeOutputFiles.layer)))

  it.live("only regular files are opened, and none through a symbolic link", () =>
    Effect.gen(function*() {
      const [root, outside] = [yield* temporary, yield* temporary]
      const files = yield* OutputFiles
      const secret = join(outside, "secret")
      writeFileSync(secret, "untouched")
      symlinkSync(secret, join(root, "x.log"))
      const followed = yield* Effect.flip(files.open(join(root, "x.log"), "append"))
      assert.match(followed.message, /^open .*x\.log: is a symbolic link$/)
      assert.strictEqual((yield* Effect.flip(files.open(join(root, "x.log"), "new"))).code, "EEXIST")
      assert.strictEqual(readFileSync(secret, "utf8"), "untouched")
      assert.match((yield* Effect.flip(files.open("/dev/null", "append"))).message, /not a regular file$/)
    }).pipe(Effect.scoped, Effect.provide(NodeOutputFiles.layer)))

  it.live("files from another file system arrive complete and never replace others", () =>
    Effect.gen(function*() {
      const [root, work] = [yield* temporary, yield* memory]
      const [source, target] = [join(work, "x.log"), join(root, "x.log")]
      const content = Buffer.alloc(300_000, "0123456789\n")
      writeFileSync(source, content)
      assert.isTrue(yield* OutputDirectory.move(source, target))
      assert.isTrue(readFileSync(target).equals(content))
      writeFileSync(source, "second")
      assert.isFalse(yield* OutputDirectory.move(source, target))
      assert.isTrue(readFileSync(target).equals(content))
      assert.deepStrictEqual(readdirSync(root), ["x.log"])
      assert.isTrue(lstatSync(source).isFile())
    }).pipe(Effect.scoped, Effect.provide(NodeOutputFiles.layer)))
})
