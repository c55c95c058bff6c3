/** What npm publishes, installed into an empty project. Run `npm run build` before. */
import { assert, describe, it } from "@effect/vitest"
import * as Esbuild from "esbuild"
import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, normalize } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"
import { packagesOf } from "../../scripts/licenses.ts"
import { bundlePromise } from "../../scripts/promise.ts"
import { exited, killAll } from "../programs/children.ts"
import { root } from "./entryPoints.ts"
import { install, isBuilt, packedFiles, type Project } from "./project.ts"

const run = promisify(execFile)

/** Runs a command and returns its output, also if it fails. */
const outputOf = async (command: string, args: ReadonlyArray<string>, cwd: string): Promise<string> => {
  try {
    const { stderr, stdout } = await run(command, [...args], { cwd, maxBuffer: 64 * 1024 * 1024 })
    return stdout + stderr
  } catch (error) {
    if (error instanceof Error && "stdout" in error && "stderr" in error) return `${error.stdout}${error.stderr}`
    throw error
  }
}

interface Settings {
  readonly module: string
  readonly moduleResolution: string
  readonly lib: ReadonlyArray<string>
}

const settings: readonly [Settings, Settings] = [
  { module: "nodenext", moduleResolution: "nodenext", lib: ["ES2024"] },
  { module: "esnext", moduleResolution: "bundler", lib: ["ES2024", "DOM"] }
]

/** Type-checks files of the project with all that they import, and returns the errors. */
const typesOf = async (project: Project, compiler: string, settings: Settings, files: ReadonlyArray<string>) => {
  const compilerOptions = {
    ...settings,
    target: "ES2023",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    // The package loads the types of Node itself: TypeScript 7 loads none by default.
    types: [],
    noEmit: true
  }
  project.write("tsconfig.json", JSON.stringify({ compilerOptions, files }))
  const tsc = join(root, "node_modules", compiler, "bin/tsc")
  const output = await outputOf(process.execPath, [tsc, "--pretty", "false"], project.directory)
  // Effect's own declarations of `effect/crypto` need the DOM.
  return output.split("\n").filter((line) => line !== "" && !/node_modules\/effect\/dist\/crypto\//.test(line))
}

/** Starts the installed nsqd on a free port. */
const startNsqd = async (project: Project) => {
  const flags = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${project.path("data")}`]
  mkdirSync(project.path("data"), { recursive: true })
  const child = spawn(process.execPath, [project.path("node_modules/.bin/nsqd"), ...flags], { stdio: "pipe" })
  const [, address = ""] = await matching(child, /TCP: listening on (\S+)/)
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM")
    await exited(child)
  }
  return { address, stop }
}

/** Waits until the output of a program matches. */
const matching = (child: ChildProcessWithoutNullStreams, pattern: RegExp): Promise<RegExpExecArray> =>
  new Promise((resolve, reject) => {
    let output = ""
    const take = (text: Buffer): void => {
      output += text.toString()
      const match = pattern.exec(output)
      if (match !== null) resolve(match)
    }
    child.stdout.on("data", take)
    child.stderr.on("data", take)
    child.once("close", () => reject(new Error(`the program ended: ${output}`)))
  })

/** Runs a file in a folder until its output matches. */
const printing = async (cwd: string, file: string, pattern: RegExp): Promise<void> => {
  const child = spawn(process.execPath, [file], { cwd, stdio: "pipe" })
  await matching(child, pattern)
  await killAll([child])
}

/** What the examples in the README and in docs/library.md print. */
const expected = [
  /2 tea/,
  /"item":"coffee"/,
  /clients use port \d+[^]*orders takes JSON objects/,
  /tea[^]*coffee/
]

/** Uses a Schema of the client, and publishes and consumes a long message with compression. */
const snappyClient = (address: string): string =>
  `import { Effect, Schema } from "effect"
import { Consumer, DeadLetter, NodeClient, Producer, Topic } from "effect-nsq/client"

if (Schema.is(DeadLetter.DeadLetter)({})) throw new Error("a value without fields is not a dead letter")
const options = { servers: { nsqd: ["${address}"] }, connection: { compression: "snappy" } } as const
const program = Effect.gen(function*() {
  const producer = yield* Producer.make(options)
  yield* producer.publish("bundled", "tea ".repeat(10_000))
  const consumer = yield* Consumer.make({ ...options, topic: Topic.bytes("bundled"), channel: "kitchen" })
  yield* consumer.run((body) => Effect.log("snappy: " + Buffer.from(body).toString().slice(0, 100)))
}).pipe(Effect.scoped, Effect.provide(NodeClient.layer))
await Effect.runPromise(program)
`

const imports = ["", "/admin", "/broker", "/client", "/persistence", "/promise", "/protocol", "/testing"].map((
  suffix
) => `effect-nsq${suffix}`)
const everything = imports.map((name, i) => `import * as module${i} from "${name}"\nexport { module${i} }\n`).join("")

describe.skipIf(!isBuilt)("the package on npm", () => {
  let project: Project
  beforeAll(async () => void (project = await install()), 480_000)
  afterAll(() => project.remove())

  it("it contains every file that a document in it links to", async () => {
    const files = new Set(await packedFiles())
    const folders = new Set([...files].map((file) => dirname(file)))
    const missing = [...files].filter((file) => /\.md$|^llms\.txt$/.test(file)).flatMap((file) =>
      Array.from(
        readFileSync(join(root, file), "utf8").matchAll(/\]\(([^()\s#]+)(?:#[^()\s]*)?\)/g),
        ([, target = ""]) => ({ file, target })
      )
    )
      .filter(({ target }) => !/^[a-z]+:/.test(target))
      .filter(({ file, target }) => {
        const path = normalize(join(dirname(file), target))
        return !files.has(path) && !folders.has(path)
      })
    assert.deepStrictEqual(missing, [])
  }, 240_000)

  it(
    "it contains the guide for programs that write code, the list of documents, and the OpenAPI documents",
    async () => {
      const files = await packedFiles()
      const openApi = ["nsqd", "nsqlookupd", "nsqadmin"].map((name) => `dist/openapi/${name}.json`)
      assert.deepStrictEqual(["AGENTS.md", "llms.txt", ...openApi].filter((file) => !files.includes(file)), [])
    },
    240_000
  )

  it("it contains no sources, and no programs outside of dist/bin", async () => {
    const files = await packedFiles()
    assert.deepStrictEqual(files.filter((file) => /^(?:src|node_modules|dist\/programs)\//.test(file)), [])
    assert.isTrue(files.includes("dist/bin/nsqd"))
  }, 240_000)

  it("it contains the licence of each package whose code is in its bundles", async () => {
    assert.include(await packedFiles(), "dist/licenses.md")
    const licenses = readFileSync(join(root, "dist/licenses.md"), "utf8")
    const { metafile } = await bundlePromise(join(root, "dist/services/promise"))
    const promised = packagesOf([metafile])
    assert.isNotEmpty(promised)
    for (
      const name of [
        "effect",
        "@effect/platform-node",
        "ws",
        ...promised.map((path) => path.replace(/^.*node_modules\//, ""))
      ]
    ) {
      assert.match(licenses, new RegExp(`^## ${name} \\d+\\.\\d+\\.\\d+ \\(`, "m"))
    }
  }, 240_000)

  it("every import of the package loads in an empty project", async () => {
    project.write("all.mjs", `${everything}console.log(Object.keys(module0).includes("Nsqd"))`)
    assert.strictEqual(await outputOf(process.execPath, ["all.mjs"], project.directory), "true\n")
  }, 240_000)

  it("no declaration of effect-nsq/promise imports Effect", () => {
    const seen = new Set<string>()
    const packages = new Set<string>()
    const read = (path: string): void => {
      if (seen.has(path)) return
      seen.add(path)
      for (const [, from = ""] of readFileSync(path, "utf8").matchAll(/(?:from|import\(|import) *"([^"]+)"/g)) {
        if (from.startsWith(".")) read(join(dirname(path), from.replace(/\.[jt]s$/, ".d.ts")))
        else packages.add(from)
      }
    }
    read(project.path("node_modules/effect-nsq/dist/services/promise/index.d.ts"))
    assert.isAbove(seen.size, 5)
    assert.deepStrictEqual([...packages], ["node:events"])
  })

  it("its programs start from node_modules/.bin, and effect-nsq is the program nsq", async () => {
    for (const program of ["nsqd", "nsqlookupd", "nsqadmin", "nsq_tail", "to_nsq"]) {
      const bin = project.path("node_modules/.bin", program)
      assert.match(await outputOf(process.execPath, [bin, "--help"], project.directory), /-topic|-address/, program)
    }
    const bin = project.path("node_modules/.bin/effect-nsq")
    assert.match(await outputOf(process.execPath, [bin, "--help"], project.directory), /nsq <subcommand>/)
    assert.match(await outputOf(process.execPath, [bin, "nsqd", "--version"], project.directory), /^nsqd v/)
  }, 240_000)

  it(
    "every complete example in the README and in docs/library.md type-checks and prints what it should, without native code",
    async () => {
      const { address, stop } = await startNsqd(project)
      try {
        const text = ["README.md", "docs/library.md"].map((name) => readFileSync(join(root, name), "utf8")).join("\n")
        const examples = Array.from(
          // `test/docs` checks those for Vitest, which is not a dependency of the project.
          text.matchAll(/^```ts\n(import (?!\{ it \} from "@effect\/vitest").*?)^```/gms),
          ([, code = ""], i) => ({ file: `examples/${i}.ts`, code: code.replaceAll("127.0.0.1:4150", address) })
        )
        assert.strictEqual(examples.length, expected.length)
        for (const { code, file } of examples) project.write(file, code)
        const files = examples.map(({ file }) => file)
        assert.deepStrictEqual(await typesOf(project, "typescript", settings[0], files), [])
        for (const [i, { file }] of examples.entries()) await printing(project.directory, file, expected[i] ?? /$./)
      } finally {
        await stop()
      }
    },
    480_000
  )

  it("a bundle of a client has no native code, runs in an empty folder, and speaks snappy with nsqd", async () => {
    const { address, stop } = await startNsqd(project)
    try {
      project.write("bundle/client.ts", snappyClient(address))
      const { outputFiles } = await Esbuild.build({
        absWorkingDir: project.directory,
        entryPoints: ["bundle/client.ts"],
        bundle: true,
        write: false,
        platform: "node",
        format: "esm",
        target: "node22.19",
        logLevel: "silent"
      })
      const empty = mkdtempSync(join(tmpdir(), "bundle-"))
      writeFileSync(join(empty, "client.mjs"), outputFiles.map(({ text }) => text).join(""))
      try {
        await printing(empty, "client.mjs", /snappy: tea tea/)
      } finally {
        rmSync(empty, { recursive: true })
      }
    } finally {
      await stop()
    }
  }, 240_000)

  const compilers = ["typescript", "typescript59"].filter((name) => existsSync(join(root, "node_modules", name)))
  for (const compiler of compilers) {
    for (const { lib, module, moduleResolution } of settings) {
      it(
        `its types pass with ${compiler}, ${moduleResolution} and ${lib.join(" and ")}, without skipLibCheck`,
        async () => {
          project.write("all.ts", everything)
          assert.deepStrictEqual(await typesOf(project, compiler, { lib, module, moduleResolution }, ["all.ts"]), [])
        },
        480_000
      )
    }
  }
})
