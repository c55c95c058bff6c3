import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as DaemonOptions from "../../../src/services/options/DaemonOptions.ts"
import type { Environment } from "../../../src/services/options/Environment.ts"
import { OptionsErrorReason } from "../../../src/services/options/OptionsError.ts"
import * as OptionTable from "../../../src/services/options/OptionTable.ts"
import { configFile, daemonTable } from "./demo.ts"

const defaults = () => OptionTable.defaults(daemonTable)

const demo = DaemonOptions.make({
  program: "demo",
  table: daemonTable,
  defaults,
  former: [{ name: "old-switch", use: "loud" }],
  warnings: ({ maxSize = 1 }) => maxSize > 0 ? [] : ["--max-size has no effect"]
})

const settle = (environment: Environment, ...args: ReadonlyArray<string>) => demo.fromCommandLine(args, environment)

const failure = (environment: Environment, ...args: ReadonlyArray<string>) =>
  Effect.map(Effect.flip(settle(environment, ...args)), ({ reason }) => reason)

describe("DaemonOptions", () => {
  it.effect("without command line, environment and config file, the options are the defaults", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* settle({}), { options: defaults(), warnings: [] })
      assert.deepStrictEqual(yield* demo.reference, defaults())
    }))

  it.effect("the Layer provides the defaults with the given changes", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* demo.reference, { ...defaults(), maxSize: 5 })
    }).pipe(Effect.provide(demo.layer({ maxSize: 5 }))))

  it.effect("a flag overrides a variable, a variable overrides the config file, and the rest keeps its default", () =>
    Effect.gen(function*() {
      const path = yield* configFile("name = \"file\"\nmax_size = 1\nloud = true\n")
      const variables = { DEMO_NAME: "variable", DEMO_MAX_SIZE: "2" }
      const { options } = yield* settle(variables, "--name=flag", `--config=${path}`)
      assert.deepStrictEqual(options, { ...defaults(), name: "flag", maxSize: 2, loud: true })
    }))

  it.effect("a flag with the default as its value overrides a variable and the config file", () =>
    Effect.gen(function*() {
      const path = yield* configFile("max_size = 1\n")
      const { options } = yield* settle({ DEMO_MAX_SIZE: "2" }, "--max-size=10", `--config=${path}`)
      assert.strictEqual(options.maxSize, 10)
    }))

  it.effect("a list of higher precedence replaces the other lists", () =>
    Effect.gen(function*() {
      const path = yield* configFile("hosts = [\"file\"]\n")
      const hosts = (environment: Environment, ...args: ReadonlyArray<string>) =>
        Effect.map(settle(environment, `--config=${path}`, ...args), ({ options }) => options.hosts)
      assert.deepStrictEqual(yield* hosts({}), ["file"])
      assert.deepStrictEqual(yield* hosts({ DEMO_HOST: "a,b" }), ["a", "b"])
      assert.deepStrictEqual(yield* hosts({ DEMO_HOST: "a,b" }, "--host=c"), ["c"])
      assert.deepStrictEqual(yield* hosts({ DEMO_HOST: "" }), [])
    }))

  it.effect("a variable names the config file unless a flag does, and an empty flag means no file", () =>
    Effect.gen(function*() {
      const one = yield* configFile("max_size = 1\n")
      const two = yield* configFile("max_size = 2\n")
      const maxSize = (environment: Environment, ...args: ReadonlyArray<string>) =>
        Effect.map(settle(environment, ...args), ({ options }) => options.maxSize)
      assert.strictEqual(yield* maxSize({ DEMO_CONFIG: one }), 1)
      assert.strictEqual(yield* maxSize({ DEMO_CONFIG: one }, "--config", two), 2)
      assert.strictEqual(yield* maxSize({ DEMO_CONFIG: one }, "--config="), 10)
      assert.strictEqual(yield* maxSize({ DEMO_CONFIG: "" }), 10)
    }))

  it.effect("warnings of the command line come before those of the config file and those of the values", () =>
    Effect.gen(function*() {
      const path = yield* configFile("old_switch = 1\nmax-size = 1\n")
      const { warnings } = yield* settle({ DEMO_MAX_SIZE: "0" }, "--old-switch", `--config=${path}`)
      assert.deepStrictEqual(warnings, [
        "--old-switch is deprecated and has no effect, use --loud",
        "old_switch in the config file is deprecated and has no effect",
        "max-size in the config file should be max_size",
        "--max-size has no effect"
      ])
    }))

  it.effect("a command line that is not valid, or requests help or the version, fails before a file is read", () =>
    Effect.gen(function*() {
      const environment = { DEMO_CONFIG: "/does/not/exist", DEMO_MAX_SIZE: "many" }
      assert.deepStrictEqual(
        yield* failure(environment, "--nope"),
        OptionsErrorReason.UnknownFlag({ name: "nope" })
      )
      assert.deepStrictEqual(yield* failure(environment, "--help"), OptionsErrorReason.HelpRequest())
      assert.deepStrictEqual(yield* failure(environment, "--version"), OptionsErrorReason.VersionRequest())
    }))

  it.effect("the error for an unusable config file or variable has the log format of flag or variable", () =>
    Effect.gen(function*() {
      for (const format of ["nsq", "json"] as const) {
        const error = yield* failure({ DEMO_CONFIG: "/does/not/exist" }, `--log-format=${format}`)
        assert.strictEqual("logFormat" in error && error.logFormat, format)
      }
      const file = yield* failure({ DEMO_CONFIG: "/does/not/exist", DEMO_LOG_FORMAT: "json" })
      assert.strictEqual("logFormat" in file && file.logFormat, "json")
      const error = yield* failure({ DEMO_MAX_SIZE: "many" })
      assert.strictEqual("logFormat" in error && error.logFormat, "nsq")
    }))

  it.effect("an error names the config file or the variable, even if a flag overrides the value", () =>
    Effect.gen(function*() {
      const path = yield* configFile("max_size = \"many\"\n")
      const message = (environment: Environment, ...args: ReadonlyArray<string>) =>
        Effect.map(Effect.flip(settle(environment, ...args)), (error) => error.message)
      assert.strictEqual(
        yield* message({}, `--config=${path}`, "--max-size=1"),
        `failed to load config file ${path} - failed to coerce value many for max_size - parse error`
      )
      assert.strictEqual(
        yield* message({ DEMO_MAX_SIZE: "many" }, "--max-size=1"),
        "failed to read the environment - DEMO_MAX_SIZE: parse error"
      )
      assert.strictEqual(
        yield* message({ DEMO_CONFIG: "/does/not/exist" }),
        "failed to load config file /does/not/exist - open /does/not/exist: no such file or directory"
      )
    }))

  it("the usage text has the program's name, its options, --version, --config and deprecated flags", () => {
    const usage = demo.usage()
    assert.match(usage, /^Usage of demo:\n {2}-config string\n/)
    for (const flag of ["log-prefix string", "max-size int", "old-switch", "version"]) {
      assert.include(usage, `\n  -${flag}\n`)
    }
  })
})
