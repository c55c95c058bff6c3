import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { refusalOf } from "../../src/programs/arguments.ts"

describe("the version of Node", () => {
  it("a program runs on the oldest version of package.json and on newer ones", () => {
    const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } }
    assert.isUndefined(refusalOf(`${engines.node.replace(">=", "v")}.0`))
    assert.isUndefined(refusalOf("v22.20.1"))
    assert.isUndefined(refusalOf("v24.0.0"))
  })

  it("a program refuses an older version with what to do", () => {
    const message = "cannot run on Node v20.20.2: it is older than 22.19; install a newer version of Node"
    assert.strictEqual(refusalOf("v20.20.2"), message)
    assert.isDefined(refusalOf("v22.18.9"))
  })
})
