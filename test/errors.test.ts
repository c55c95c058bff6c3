/** The form of the errors of `src`; ARCHITECTURE.md states the rules and the exceptions. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"

const source = Path.resolve(import.meta.dirname, "../src")

const files = Fs.readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.tsx?$/.test(file))
  .map((file) => ({ file, text: Fs.readFileSync(Path.join(source, file), "utf8") }))

const declaration = /class (\w+) extends (?:Data|Schema)\.TaggedError\b[^]*?\{/g

interface Declared {
  readonly name: string
  readonly room: string
  readonly file: string
  readonly text: string
}

/** The declarations of tagged errors, up to their first method. */
const declared: ReadonlyArray<Declared> = files.flatMap(({ file, text }) =>
  Array.from(text.matchAll(declaration), ({ 1: name = "", index }) => ({
    name,
    room: Path.dirname(file),
    file: Path.basename(file),
    text: text.slice(index, text.indexOf("\n}", index))
  }))
)

/** Responses of the HTTP server on their way out. */
const responses = new Set(["HttpFailure", "ProfilerBusy"])

/** Errors beside the one of their room: the lower of two layers, or of a request to a daemon that continues. */
const beside = new Set(["DiskError", "OutputFileError", "RawHttpError", "RuntimeOptionsError"])

/** Tables of codes, and errors with one reason only. */
const withoutReasons = new Set([
  "DurationError",
  "FrameError",
  "HeadersError",
  "ProgramError",
  "ProtocolError",
  "ReplyError",
  "SnappyError",
  "TelemetryError"
])

describe("the errors of src", () => {
  it("the names of errors end in Error", () => {
    const others = declared.filter(({ name }) => !name.endsWith("Error") && !responses.has(name))
    assert.deepStrictEqual(others.map(({ name }) => name), [])
  })

  it("each room has one error in a file of its own, and its reason is a tagged union", () => {
    const main = declared.filter(({ name }) => !responses.has(name) && !beside.has(name) && !withoutReasons.has(name))
    const rooms = main.map(({ room }) => room)
    assert.deepStrictEqual(rooms.filter((room, i) => rooms.indexOf(room) !== i), [])
    assert.deepStrictEqual(main.filter(({ file, name }) => file !== `${name}.ts`), [])
    const untagged = main.filter(({ name, text }) => !text.includes(`readonly reason: ${name}Reason`))
    assert.deepStrictEqual(untagged.map(({ name }) => name), [])
  })

  it("no code branches on the text of an error", () => {
    const branch =
      /\.message\??\.(?:startsWith|endsWith|includes|match|search|indexOf)\(|\.test\([\w.]*\.message\)|\.message [!=]== ["`](?!string")/
    const branching = files.flatMap(({ file, text }) =>
      text.split("\n").flatMap((line, i) => branch.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])
    )
    assert.deepStrictEqual(branching, [])
  })
})
