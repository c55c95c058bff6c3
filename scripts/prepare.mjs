/**
 * The `prepublish` script of npm, which only `npm install` and `npm ci` in a checkout run: patches the type checker and builds. A script
 * `prepare` would run for `npx effect-nsq` in the checkout as well, and npm would warn about it when it installs the packed file. An
 * installation without the development tools (`npm ci --omit=dev`) uses the `dist` that it finds. Plain JavaScript, because the Node
 * of such an installation may not run TypeScript.
 */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"

if (existsSync("node_modules/@effect/tsgo")) {
  execFileSync("npx", ["effect-tsgo", "patch", "--typescript", "--skip-missing"], { stdio: "inherit" })
  execFileSync("npm", ["run", "build"], { stdio: "inherit" })
} else {
  console.log("the development tools are not installed: dist/ is not built")
}
