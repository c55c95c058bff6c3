import { assert, describe, it } from "@effect/vitest"
import { readFile } from "node:fs/promises"
import * as SystemText from "../../../src/services/core/SystemText.ts"

describe("the texts of the operating system's errors", () => {
  it("the text of a file that cannot be read names the operation, the file and the reason, as Go does", async () => {
    const path = "/does/not/exist"
    const error = await readFile(path).catch((cause: unknown) => cause)
    assert.strictEqual(SystemText.ofFile(path, error), `open ${path}: no such file or directory`)
    const directory = await readFile("/").catch((cause: unknown) => cause)
    assert.strictEqual(SystemText.ofFile("/", directory), "read /: is a directory")
    assert.strictEqual(SystemText.ofFile(path, new Error("another error")), "another error")
  })

  it("an unknown host is named as Go names it", () => {
    const error = Object.assign(new Error("getaddrinfo ENOTFOUND h"), { code: "ENOTFOUND", errno: -3008 })
    assert.strictEqual(SystemText.textOf(error), "no such host")
  })
})
