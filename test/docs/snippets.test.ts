/** The TypeScript in the documents and in the docstrings of the package: every block passes the compiler. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"

const root = Path.resolve(import.meta.dirname, "../..")

interface Snippet {
  /** Document or source, with the number of the line. */
  readonly from: string
  readonly code: string
}

const filesBelow = (folder: string, pattern: RegExp): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => pattern.test(file))
    .map((file) => Path.join(folder, file))

const read = (file: string): string => Fs.readFileSync(Path.join(root, file), "utf8")

const blocks = (file: string, pattern: RegExp, strip: RegExp): ReadonlyArray<Snippet> => {
  const text = read(file)
  return Array.from(text.matchAll(pattern), ({ 1: code = "", index }) => ({
    from: `${file}:${text.slice(0, index).split("\n").length}`,
    code: code.replaceAll(strip, "")
  }))
}

const snippets: ReadonlyArray<Snippet> = [
  ...["README.md", "AGENTS.md", ...filesBelow("docs", /\.md$/)].flatMap((file) =>
    blocks(file, /^```ts\n(.*?)^```/gms, /(?!)/g)
  ),
  ...filesBelow("src", /^(?!web\/).*\.ts$/).flatMap((file) =>
    blocks(file, /^ *\* ```ts\n((?: *\*.*\n)*?) *\* ```$/gm, /^ *\* ?/gm)
  )
]

/** The modules that a snippet without imports may use, by preference. The first with a name wins. */
const modulesFor = (from: string): ReadonlyArray<string> => {
  const entry = /services\/promise|NsqError/.test(from) ?
    ["effect-nsq/promise", Path.join(root, "test/docs/promisePlaceholders.ts")] :
    /src\/broker|services\/nsqd|services\/persistence|services\/http/.test(from) ?
    ["effect-nsq/broker"] :
    /services\/admin/.test(from)
    ? ["effect-nsq/admin"]
    : []
  if (from.startsWith("src/protocol/index.ts")) return ["effect-nsq/protocol"]
  return [
    ...entry,
    "effect-nsq/client",
    "effect-nsq/testing",
    "effect-nsq/broker",
    "effect-nsq/admin",
    "effect-nsq/persistence",
    "effect-nsq",
    "effect",
    "effect/testing",
    "effect/http",
    "effect/persistence",
    "@effect/vitest",
    "vitest",
    Path.join(root, "test/docs/placeholders.ts"),
    Path.join(root, "src/protocol/client/Names.ts"),
    Path.join(root, "src/services/nsqd/options/OptionReads.ts"),
    Path.join(root, "src/metrics.ts")
  ]
}

/** Names that are types only. */
const types = new Set<string>()

const exportsByModule = new Map<string, ReadonlySet<string>>()

const exportsOf = async (module: string): Promise<ReadonlySet<string>> => {
  const known = exportsByModule.get(module)
  if (known !== undefined) return known
  const found = new Set(Object.keys(await import(/* @vite-ignore */ module)))
  if (module.endsWith("laceholders.ts")) {
    // Declarations without a value.
    const text = Fs.readFileSync(module, "utf8")
    for (const [, kind, name = ""] of text.matchAll(/^export (?:declare )?(const|type|class) (\w+)/gm)) {
      found.add(name)
      if (kind === "type") types.add(name)
    }
  }
  exportsByModule.set(module, found)
  return found
}

/** Adds the imports that a snippet leaves out, and the generator around its `yield*`. */
const complete = async ({ code, from }: Snippet): Promise<string> => {
  if (/^import /m.test(code)) return code
  const declared = new Set(
    Array.from(
      code.matchAll(/\b(?:const|let|class|using) (\w+)|\b(?:const|let) [[{]([^=]*?)[\]}] =/g),
      ([, one, many]) => one === undefined ? (many ?? "").match(/\w+/g) ?? [] : [one]
    ).flat()
  )
  const withoutTexts = code.replaceAll(/\/\/.*|"[^"\n]*"|\.\w+/g, "")
  const used = new Set(withoutTexts.match(/\b[A-Za-z]\w*\b(?!\s*:(?!:))/g))
  const imports = new Map<string, Array<string>>()
  for (const name of used) {
    if (declared.has(name) || name in globalThis) continue
    for (const module of modulesFor(from)) {
      if (!(await exportsOf(module)).has(name)) continue
      imports.set(module, [...imports.get(module) ?? [], types.has(name) ? `type ${name}` : name])
      break
    }
  }
  const head = Array.from(imports, ([module, names]) => `import { ${names.join(", ")} } from "${module}"\n`).join("")
  const isGenerator = /^(?:const \w+ = |const \{[^}]*\} = )?yield ?\*/m.test(code)
  return isGenerator
    ? `${head}export const example = Effect.gen(function*() {\n${code}})\n`
    : `${head}${code}export {}\n`
}

const typesOf = (config: string): Promise<string> =>
  new Promise((resolve) => {
    const tsc = Path.join(root, "node_modules/typescript/bin/tsc")
    execFile(
      process.execPath,
      [tsc, "-p", config, "--pretty", "false"],
      { maxBuffer: 16 * 1024 * 1024 },
      (_, stdout) => {
        resolve(stdout)
      }
    )
  })

describe("the snippets of the documentation", () => {
  it("every TypeScript block in a document or a docstring passes the compiler", async () => {
    assert.isAbove(snippets.length, 50)
    // Inside the project, so that packages are found.
    const folder = Fs.mkdtempSync(Path.join(root, "node_modules", ".snippets-"))
    try {
      const names = new Map<string, string>()
      for (const [i, snippet] of snippets.entries()) {
        names.set(`${i}.ts`, snippet.from)
        const code = await complete(snippet)
        const needsEffect = code.includes("Effect.gen(") && !/import \{[^}]*\bEffect\b/.test(code)
        Fs.writeFileSync(Path.join(folder, `${i}.ts`), needsEffect ? `import { Effect } from "effect"\n${code}` : code)
      }
      const config = Path.join(folder, "tsconfig.json")
      Fs.writeFileSync(
        config,
        JSON.stringify({
          extends: "../../tsconfig.json",
          compilerOptions: {
            noUnusedLocals: false,
            noUnusedParameters: false,
            noUncheckedIndexedAccess: false,
            rewriteRelativeImportExtensions: false,
            allowImportingTsExtensions: true
          },
          files: [...names.keys()],
          include: []
        })
      )
      // Numbers from 377000 on are hints about Effect.
      const errors = (await typesOf(config)).split("\n").filter((line) => /error TS(?!377\d{3}:)/.test(line)).map((
        line
      ) => line.replace(/^(?:.*\/)?(\d+\.ts)/, (_, name: string) => names.get(name) ?? name))
      assert.deepStrictEqual(errors, [])
    } finally {
      Fs.rmSync(folder, { recursive: true })
    }
  }, 480_000)
})
