import { assert, describe, it } from "@effect/vitest"
import { Duration, Result, Schema } from "effect"
import * as Environment from "../../../src/services/options/Environment.ts"
import { table } from "./demo.ts"

const read = (environment: Environment.Environment) => Environment.read(table, "nsq_demo", environment)
const refusal = (environment: Environment.Environment): string | undefined => {
  const result = read(environment)
  return Result.isFailure(result) ? result.failure.reason : undefined
}

describe("Environment", () => {
  it("a variable is named after program and flag, in capitals and with underscores", () => {
    assert.strictEqual(Environment.variable("nsqd", "mem-queue-size"), "NSQD_MEM_QUEUE_SIZE")
    assert.strictEqual(Environment.variable("nsq_to_file", "topic"), "NSQ_TO_FILE_TOPIC")
  })

  it("each kind of option can be set, and options without a variable are not", () => {
    assert.deepStrictEqual(read({}), Result.succeed({}))
    assert.deepStrictEqual(
      read({ NSQ_DEMO_MAX_SIZE: "0x10", NSQ_DEMO_LOUD: "T", NSQ_DEMO_WAIT: "1m", NSQ_DEMO_HOST: "a, b" }),
      Result.succeed({ maxSize: 16, loud: true, wait: Duration.minutes(1), hosts: ["a", "b"] })
    )
  })

  it.prop("the value of a string variable is not changed", [Schema.String], ([name]) => {
    assert.deepStrictEqual(read({ NSQ_DEMO_NAME: name }), Result.succeed({ name }))
  })

  it("an empty variable is an empty string or list, and not valid for other kinds", () => {
    assert.deepStrictEqual(read({ NSQ_DEMO_NAME: "", NSQ_DEMO_HOST: "" }), Result.succeed({ name: "", hosts: [] }))
    assert.strictEqual(refusal({ NSQ_DEMO_MAX_SIZE: "" }), "NSQ_DEMO_MAX_SIZE: parse error")
    assert.strictEqual(refusal({ NSQ_DEMO_WAIT: "" }), "NSQ_DEMO_WAIT: time: invalid duration \"\"")
  })

  it("the error for a value that is not valid names the variable and the reason", () => {
    assert.strictEqual(refusal({ NSQ_DEMO_NAME: "x", NSQ_DEMO_LOUD: "yes" }), "NSQ_DEMO_LOUD: parse error")
    assert.strictEqual(refusal({ NSQ_DEMO_MAX_SIZE: "1e3" }), "NSQ_DEMO_MAX_SIZE: parse error")
  })

  it("config keys, deprecated flags, lower case and other programs' variables have no effect", () => {
    assert.deepStrictEqual(
      read({
        NSQ_DEMO_HOSTS: "a",
        NSQ_DEMO_LIMIT: "not a number",
        nsq_demo_name: "x",
        NSQD_NAME: "x",
        NSQ_DEMO_PORT: "tcp://10.0.0.1:4150",
        NSQ_DEMO_NAME: undefined
      }),
      Result.succeed({})
    )
  })
})
