import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { banner, ofTool, packageVersion } from "../../../src/services/core/Version.ts"

describe("Version", () => {
  it("the version of the package is that of package.json", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8"))
    assert.strictEqual(packageVersion, version)
  })

  it("the banner begins like NSQ's and ends with this package's version and Node's", () => {
    assert.strictEqual(
      banner("nsqd"),
      `nsqd v1.3.0 (built w/effect-nsq ${packageVersion}, node ${process.version})`
    )
  })

  it("a tool shows both versions in one word", () => {
    assert.strictEqual(ofTool("nsq_tail"), `nsq_tail v1.3.0+effect-nsq.${packageVersion}`)
  })
})
