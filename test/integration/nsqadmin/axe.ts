/** axe, which checks the accessibility of a page. */
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Tab } from "./browser.ts"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

interface Violation {
  readonly id: string
  readonly nodes: ReadonlyArray<{ readonly target: ReadonlyArray<string>; readonly failureSummary: string }>
}

/** Returns the violations of a page: the rule, the element and what is wrong with it. */
export const violations = (tab: Tab): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    tab.act(async (page) => {
      await page.evaluate(axe)
      return page.evaluate<ReadonlyArray<Violation>>("axe.run().then((result) => result.violations)")
    }),
    (found) =>
      found.flatMap(({ id, nodes }) =>
        nodes.map(({ failureSummary, target }) => `${id} ${target.join(" ")}: ${failureSummary}`)
      )
  )
