import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as DaemonCommand from "../../../src/services/options/DaemonCommand.ts"
import * as DaemonConfig from "../../../src/services/options/DaemonConfig.ts"
import type { Environment } from "../../../src/services/options/Environment.ts"
import { configFile, table } from "./demo.ts"

const settle = (environment: Environment, ...args: ReadonlyArray<string>) => {
  const command = Result.getOrThrow(DaemonCommand.parse(table, [], args))
  return DaemonConfig.settle("demo", table, new Set(["old"]), command, environment)
}

describe("DaemonConfig", () => {
  it.effect("a flag overrides a variable, a variable overrides the config file, and the rest is not set", () =>
    Effect.gen(function*() {
      const path = yield* configFile("name = \"file\"\nmax_size = 1\nloud = true\n")
      const variables = { DEMO_NAME: "variable", DEMO_MAX_SIZE: "2" }
      const { given } = yield* settle(variables, "--name=flag", `--config=${path}`)
      assert.deepStrictEqual(given, { name: "flag", maxSize: 2, loud: true })
    }))

  it.effect("a list of higher precedence replaces the other lists", () =>
    Effect.gen(function*() {
      const path = yield* configFile("hosts = [\"file\"]\n")
      const hosts = (environment: Environment, ...args: ReadonlyArray<string>) =>
        Effect.map(settle(environment, `--config=${path}`, ...args), ({ given }) => given.hosts)
      assert.deepStrictEqual(yield* hosts({}), ["file"])
      assert.deepStrictEqual(yield* hosts({ DEMO_HOST: "a,b" }), ["a", "b"])
      assert.deepStrictEqual(yield* hosts({ DEMO_HOST: "a,b" }, "--host=c"), ["c"])
      assert.deepStrictEqual(yield* hosts({ DEMO_HOST: "" }), [])
    }))

  it.effect("a variable names the config file unless a flag does, and an empty flag means no file", () =>
    Effect.gen(function*() {
      const one = yield* configFile("max_size = 1\n")
      const two = yield* configFile("max_size = 2\n")
      assert.deepStrictEqual((yield* settle({ DEMO_CONFIG: one })).given, { maxSize: 1 })
      assert.deepStrictEqual((yield* settle({ DEMO_CONFIG: one }, "--config", two)).given, { maxSize: 2 })
      assert.deepStrictEqual((yield* settle({ DEMO_CONFIG: one }, "--config=")).given, {})
      assert.deepStrictEqual((yield* settle({ DEMO_CONFIG: "" })).given, {})
    }))

  it.effect("warnings of the command line come before those of the config file", () =>
    Effect.gen(function*() {
      const path = yield* configFile("old = 1\nmax-size = 1\n")
      const { warnings } = yield* settle({}, "--limit=2", `--config=${path}`)
      assert.strictEqual(warnings.length, 3)
      assert.match(warnings[0] ?? "", /^--limit is deprecated/)
      assert.match(warnings[1] ?? "", /^old in the config file is deprecated/)
      assert.match(warnings[2] ?? "", /max-size in the config file.* max_size/)
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
        "failed to load config file /does/not/exist - ENOENT: no such file or directory, open '/does/not/exist'"
      )
    }))
})
