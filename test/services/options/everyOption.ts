/** Tests that each option of a daemon has its default and can be set in each place. */
import { assert, it } from "@effect/vitest"
import { Effect, Struct } from "effect"
import type { DaemonOptions } from "../../../src/services/options/DaemonOptions.ts"
import * as Environment from "../../../src/services/options/Environment.ts"
import type { OptionTable } from "../../../src/services/options/OptionTable.ts"
import { configFile } from "./demo.ts"

/** For each option its default, and another value as a string and as a value. */
export type Samples<Options> = {
  readonly [K in keyof Options]: readonly [initial: Options[K], text: string, value: Options[K]]
}

interface Daemon<Options> extends DaemonOptions<Options> {
  readonly table: OptionTable<Options>
  readonly defaults: () => Options
}

/** Values that are not valid, and the reason, by the name of the value in the usage text; none for strings and lists. */
const invalid: ReadonlyMap<string, readonly [text: string, reason: string]> = new Map([
  ["int", ["many", "parse error"]],
  ["duration", ["soon", "parse error"]],
  ["", ["maybe", "parse error"]]
])

/** Options of NSQ with a check or a meaning of their own for negative numbers. */
const withNegatives = new Set(["node-id", "max-deflate-level", "max-channel-consumers", "statsd-udp-packet-size"])

/** Registers the tests of a daemon's options. */
export const test = <Options extends object>(daemon: Daemon<Options>, samples: Samples<Options>): void => {
  const { defaults, fromCommandLine, program, table } = daemon
  const fields = Struct.keys(table)
  const settle = (environment: Environment.Environment, ...args: ReadonlyArray<string>) =>
    Effect.map(fromCommandLine(args, environment), ({ options }) => options)

  const assertValues = (options: Options) => {
    for (const field of fields) assert.deepStrictEqual(options[field], samples[field][2], table[field].flag)
  }

  it(`every option of ${program} has its default`, () => {
    const options = defaults()
    for (const field of fields) assert.deepStrictEqual(options[field], samples[field][0], table[field].flag)
  })

  it.effect(`every option of ${program} can be set by its flag, and no other option changes`, () =>
    Effect.gen(function*() {
      for (const field of fields) {
        const [, text, value] = samples[field]
        const options = yield* settle({}, `--${table[field].flag}=${text}`)
        assert.deepStrictEqual(options, { ...defaults(), [field]: value }, table[field].flag)
      }
    }))

  it.effect(`every option of ${program} can be set in the environment`, () =>
    Effect.gen(function*() {
      const variables = fields.map((field) => [Environment.variable(program, table[field].flag), samples[field][1]])
      assertValues(yield* settle(Object.fromEntries(variables)))
    }))

  it.effect(`every option of ${program} can be set in the config file`, () =>
    Effect.gen(function*() {
      const lines = fields.map((field) => `${table[field].key} = ${JSON.stringify(samples[field][1])}`)
      assertValues(yield* settle({}, `--config=${yield* configFile(lines.join("\n"))}`))
    }))

  it.effect(`every number, duration and switch of ${program} refuses other values, wherever they are set`, () =>
    Effect.gen(function*() {
      for (const field of fields) {
        const { flag, key, kind } = table[field]
        const [text, reason] = invalid.get(kind.placeholder) ?? []
        if (text === undefined || flag === "tls-required") continue
        const byFlag = yield* Effect.flip(settle({}, `--${flag}=${text}`))
        const invalidValue = kind.isSwitch
          ? `invalid boolean value "${text}" for -${flag}`
          : `invalid value "${text}" for flag -${flag}`
        assert.strictEqual(byFlag.reason._tag, "InvalidCommandLine")
        assert.strictEqual(byFlag.message, `${invalidValue}: ${reason}`)
        const variable = Environment.variable(program, flag)
        const byVariable = yield* Effect.flip(settle({ [variable]: text }))
        assert.strictEqual(byVariable.reason._tag, "InvalidEnvironment")
        assert.include(byVariable.message, `failed to read the environment - ${variable}: `)
        const path = yield* configFile(`${key} = "${text}"\n`)
        const byFile = yield* Effect.flip(settle({}, `--config=${path}`))
        assert.strictEqual(byFile.reason._tag, "InvalidConfigFile")
        assert.include(
          byFile.message,
          `failed to load config file ${path} - failed to coerce value ${text} for ${key} - `
        )
      }
    }))

  it.effect(`every size, count, limit and duration of ${program} refuses a negative value`, () =>
    Effect.gen(function*() {
      for (const { flag, kind } of fields.map((field) => table[field])) {
        if (withNegatives.has(flag)) continue
        const text = new Map([["int", "-1"], ["duration", "-1s"]]).get(kind.placeholder)
        if (text === undefined) continue
        const { message } = yield* Effect.flip(settle({}, `--${flag}=${text}`))
        assert.strictEqual(message, `invalid value "${text}" for flag -${flag}: must be at least 0`)
      }
    }))

  it.effect(`an unknown flag or config key of ${program} is an error`, () =>
    Effect.gen(function*() {
      const byFlag = yield* Effect.flip(settle({}, "--nope"))
      assert.strictEqual(byFlag.message, "flag provided but not defined: -nope")
      const path = yield* configFile("nope = 1\n")
      const byFile = yield* Effect.flip(settle({}, `--config=${path}`))
      assert.strictEqual(byFile.message, `failed to load config file ${path} - unknown key "nope"`)
    }))

  it(`the flags and the config keys of ${program} are unique`, () => {
    for (const names of [fields.map((field) => table[field].flag), fields.map((field) => table[field].key)]) {
      assert.strictEqual(new Set(names).size, names.length)
    }
  })
}
