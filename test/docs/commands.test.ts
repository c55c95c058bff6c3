/** The commands in the documents: every program, subcommand and flag of this package in them exists. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { programs, standalone } from "../../scripts/dist/programs.ts"

const root = resolve(import.meta.dirname, "../..")

/** Flags of every program, and of every daemon. */
const general = ["help", "version", "config"]

const flagsOf = new Map(
  [...programs, standalone].map((
    { name, options }
  ) => [name, new Set([...general, ...options.map(({ flag }) => flag)])])
)

interface Command {
  readonly document: string
  readonly words: ReadonlyArray<string>
}

/** The commands of a line of shell: without prompt, comment and path of the program. */
const commandsOf = (line: string): ReadonlyArray<ReadonlyArray<string>> =>
  line.replace(/^\$ /, "").replace(/ #.*$/, "").split(/ (?:&&|\||;) /)
    .map((command) => command.trim().split(/\s+/).map((word, i) => i === 0 ? word.replace(/^.*\/bin\//, "") : word))

const documents = [
  "README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md")).map((name) => join("docs", name))
]

const commands: ReadonlyArray<Command> = documents.flatMap((document) =>
  Array.from(
    readFileSync(join(root, document), "utf8").matchAll(/^ *```(?:sh|bash)?\n([^]*?)^ *```$/gm),
    ([, code = ""]) => code.replaceAll(/ *\\\n */g, " ").split("\n")
  ).flat().flatMap(commandsOf).map((words) => ({ document, words }))
)

/** The names of the flags in a command. */
const flagsIn = (words: ReadonlyArray<string>): ReadonlyArray<string> =>
  words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/^--?/, "").replace(/=.*$/, ""))

/** Texts of the sources that declare the commands and flags of `nsq`. */
const sourceOfNsq = ["src/services/cli", "src/services/nsqd/data", "src/programs"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts")).map((name) => readFileSync(join(root, folder, name), "utf8"))
).join("\n")

describe("the commands in the documents", () => {
  it("every flag of a daemon or a utility in a command exists", () => {
    const used = commands.filter(({ words: [name = ""] }) => flagsOf.has(name))
    assert.isAbove(used.length, 30)
    const wrong = used.flatMap(({ document, words }) =>
      flagsIn(words).filter((flag) => flagsOf.get(words[0] ?? "")?.has(flag) !== true)
        .map((flag) => `${document}: ${words[0]} --${flag}`)
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("every command of nsq, and every flag of it, is declared in the sources", () => {
    const used = commands.filter(({ words: [name] }) => name === "nsq")
    assert.isAtLeast(used.length, 20)
    const groups = new Set(["topic", "channel", "node", "data", "config", "context"])
    const wrong = used.flatMap(({ document, words: [, first = "", second = "", ...rest] }) => {
      const names = groups.has(first) ? [first, second] : [first]
      const flags = flagsIn([second, ...rest]).filter((flag) => flag.length > 1 && !general.includes(flag))
      // Flags behind `--` are those of a daemon.
      const own = rest.includes("--") ? [] : flags
      return [...names.filter((name) => /^[a-z]/.test(name)), ...own]
        .filter((name) => !sourceOfNsq.includes(`"${name}"`))
        .map((name) => `${document}: nsq ${first} ${second}: ${name}`)
    })
    assert.deepStrictEqual(wrong, [])
  })

  it("every script of npm in a command exists", () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8")
    )
    const used = commands.filter(({ words: [name, run] }) => name === "npm" && run === "run")
    assert.deepStrictEqual(used.filter(({ words: [, , name = ""] }) => scripts[name] === undefined), [])
  })

  it("every file of the project in a command exists", () => {
    const files = commands.flatMap(({ words }) => words.filter((word) => /^(?:packaging|bench|scripts)\//.test(word)))
    assert.isAbove(files.length, 2)
    assert.deepStrictEqual(files.filter((file) => !existsSync(join(root, file))), [])
  })
})
