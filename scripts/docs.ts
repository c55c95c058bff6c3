/**
 * `npm run docs`: builds the documentation site into `site/dist` from the documents, and from what is generated out of the sources.
 * The first run installs the tools of the site (`site/package.json`); after that, nothing needs the network.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { check } from "./docs/check.ts"
import { writePages } from "./docs/pages.ts"

const root = Path.resolve(import.meta.dirname, "..")
const site = Path.join(root, "site")
const tools = Path.join(site, "node_modules")
const run = (program: string, ...args: ReadonlyArray<string>): void =>
  void execFileSync(process.execPath, [Path.join(tools, program), ...args], { cwd: root, stdio: "inherit" })

/** Whether the tools are installed as in the lock file. */
const isInstalled = (): boolean => {
  const installed = Path.join(tools, ".package-lock.json")
  const locked = Path.join(site, "package-lock.json")
  return Fs.existsSync(installed) && Fs.statSync(installed).mtimeMs >= Fs.statSync(locked).mtimeMs
}

if (!isInstalled()) {
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: site, stdio: "inherit" })
}
writePages(Path.join(site, "pages"))
const openApi = Path.join(site, "pages/public/openapi")
execFileSync(
  process.execPath,
  [Path.join(site, "validate.js"), ...Fs.readdirSync(openApi).map((name) => Path.join(openApi, name))],
  { stdio: "inherit" }
)
run("typedoc/bin/typedoc", "--options", "site/typedoc.json")
run("vitepress/bin/vitepress.js", "build", "site")
const problems = check(Path.join(site, "dist"))
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exit(1)
console.log("the site is in site/dist")
