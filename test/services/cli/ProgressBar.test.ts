import { assert, describe, it } from "@effect/vitest"
import { line } from "../../../src/services/cli/ProgressBar.ts"

describe("ProgressBar", () => {
  it("a line has a bar and a percentage if the total is known", () => {
    assert.strictEqual(
      line("publishing", 5000, 10_000, 1234.4, ""),
      "publishing [############            ]  50 %  5,000 of 10,000  1,234/s"
    )
    assert.match(line("draining", 12, 10, 1, "orders"), /\[#{24}\] 100 % {2}12 of 10 {2}1\/s {2}orders$/)
    assert.strictEqual(line("reading", 7, 0, 2, ""), "reading 7  2/s")
  })
})
