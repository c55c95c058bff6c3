import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { refusalOf } from "../../src/programs/nodeVersion.ts"

describe("the version of Node", () => {
  it("a program runs on the oldest version of package.json and on newer ones", () => {
    const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } }
    assert.isUndefined(refusalOf("nsqd", `${engines.node.replace(">=", "v")}.0`))
    assert.isUndefined(refusalOf("nsqd", "v22.20.1"))
    assert.isUndefined(refusalOf("nsqd", "v24.0.0"))
  })

  it("a program refuses an older version with what to do", () => {
    const message = "nsqd cannot run on Node v20.20.2: it needs Node 22.19 or later; install a newer version of Node"
    assert.strictEqual(refusalOf("nsqd", "v20.20.2"), message)
    assert.isDefined(refusalOf("nsqd", "v22.18.9"))
  })
})
