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

/** Which rules to check: all, or those of colors, after another theme has been chosen for a page that has passed all. */
export type Rules = "all" | "colors"

const run: { readonly [R in Rules]: string } = {
  all: "axe.run()",
  colors: "axe.run({ runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } })"
}

/** Returns the violations of a page: the rule, the element and what is wrong with it. */
export const violations = (tab: Tab, rules: Rules = "all"): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    tab.act(async (page) => {
      if (!await page.evaluate<boolean>("'axe' in window")) await page.evaluate(axe)
      return page.evaluate<ReadonlyArray<Violation>>(`${run[rules]}.then((result) => result.violations)`)
    }),
    (found) =>
      found.flatMap(({ id, nodes }) =>
        nodes.map(({ failureSummary, target }) => `${id} ${target.join(" ")}: ${failureSummary}`)
      )
  )

/** The violations of a page in the light theme, and of its colors in the dark one. Leaves the page in the light theme. */
export const violationsInBothThemes = Effect.fnUntraced(function*(tab: Tab) {
  const light = yield* violations(tab)
  yield* tab.act((page) => page.emulateMedia({ colorScheme: "dark" }))
  const dark = yield* violations(tab, "colors")
  yield* tab.act((page) => page.emulateMedia({ colorScheme: "light" }))
  return [...light, ...dark.map((violation) => `dark: ${violation}`)]
})
