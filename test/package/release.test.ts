/** The `version` script of npm, in a repository of its own with the files that it changes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { dirname, join } from "node:path"
import { unpublishable } from "../../scripts/dist/npmPackage.ts"
import { packageVersion } from "../../src/services/core/Version.ts"
import { temporaryDirectory } from "../integration/daemon.ts"
import { root } from "./entryPoints.ts"

const manifests = ["nsqlookupd", "nsqd", "nsqadmin"].map((daemon) => `packaging/kubernetes/${daemon}.yaml`)

const files = [
  "package.json",
  "package-lock.json",
  "scripts/release.ts",
  "src/services/core/Version.ts",
  "CHANGELOG.md",
  "packaging/helm/effect-nsq/Chart.yaml",
  ...manifests
]

const next = "99.0.0"

/** The day in UTC. */
const today = (): string => new Date().toISOString().slice(0, "YYYY-MM-DD".length)

/** Makes a release in a repository with the remote `origin`; returns the text of a file in the tagged commit. */
const release = Effect.fnUntraced(function*(origin: string) {
  const directory = yield* temporaryDirectory
  const run = (command: string, ...args: ReadonlyArray<string>): string =>
    execFileSync(command, args, { cwd: directory, encoding: "utf8", stdio: "pipe" })
  for (const file of files) {
    Fs.mkdirSync(dirname(join(directory, file)), { recursive: true })
    Fs.copyFileSync(join(root, file), join(directory, file))
  }
  run("git", "init", "--quiet")
  for (const [key, value] of [["user.name", "tests"], ["user.email", "tests@example.org"]] as const) {
    run("git", "config", key, value)
  }
  run("git", "remote", "add", "origin", origin)
  run("git", "add", ".")
  run("git", "commit", "--quiet", "--message=all")
  run("npm", "version", next)
  assert.strictEqual(run("git", "status", "--porcelain"), "")
  assert.strictEqual(run("git", "log", "--max-count=1", "--format=%s").trim(), next)
  return (file: string): string => run("git", "show", `v${next}:${file}`)
})

describe("npm version", () => {
  it("npm run dist warns of a package without the addresses that npm version writes", () => {
    const addresses = { repository: {}, homepage: "", bugs: {} }
    assert.isUndefined(unpublishable(addresses))
    const { bugs, ...others } = addresses
    assert.match(unpublishable(others) ?? "", /^package\.json has no bugs, without which .* npm version in a clone/)
    assert.match(unpublishable({ bugs }) ?? "", /no repository, homepage,/)
  })

  it.live(
    "it sets the version in each file that has it, dates the changelog, commits and tags",
    () =>
      Effect.gen(function*() {
        const before = today()
        const read = yield* release("git@git.example.org:queues/effect-nsq.git")
        const dated = new RegExp(`^## \\[Unreleased\\]\\n\\n## \\[${next}\\] - (.+)\\n\\n\\S`, "m").exec(
          read("CHANGELOG.md")
        )
        // A release that is made at midnight has the day before or the day after.
        assert.include([before, today()], dated?.[1])
        assert.include(read("src/services/core/Version.ts"), `packageVersion = "${next}"`)
        assert.strictEqual(JSON.parse(read("package-lock.json")).version, next)
        const chart = read("packaging/helm/effect-nsq/Chart.yaml")
        assert.include(chart, `\nversion: ${next}\nappVersion: "${next}"\n`)
        for (const file of manifests) {
          assert.include(read(file), `image: "effect-nsq:${next}"`)
          assert.notInclude(read(file), packageVersion)
        }
        const { bugs, homepage, repository, version } = JSON.parse(read("package.json"))
        assert.deepStrictEqual({ bugs, homepage, repository, version }, {
          bugs: { url: "https://git.example.org/queues/effect-nsq/issues" },
          homepage: "https://git.example.org/queues/effect-nsq#readme",
          repository: { type: "git", url: "git+https://git.example.org/queues/effect-nsq.git" },
          version: next
        })
      }),
    240_000
  )

  it.live("credentials in the address of the repository do not get into package.json", () =>
    Effect.gen(function*() {
      const read = yield* release("https://user:secret@git.example.org:8443/queues/effect-nsq.git")
      assert.strictEqual(JSON.parse(read("package.json")).homepage, "https://git.example.org/queues/effect-nsq#readme")
    }), 240_000)

  it.live("a repository on this machine leaves package.json without an address", () =>
    Effect.gen(function*() {
      const read = yield* release("/srv/effect-nsq")
      assert.strictEqual(
        JSON.parse(read("package.json")).repository,
        JSON.parse(Fs.readFileSync(join(root, "package.json"), "utf8")).repository
      )
    }), 240_000)
})
