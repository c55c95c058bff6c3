/**
 * The `prepare` script of npm: after an installation in a checkout, patches the type checker and builds. An installation without the
 * development tools (`npm ci --omit=dev`) uses the `dist` that it finds. Plain JavaScript, because the Node of such an installation may not run TypeScript.
 */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"

if (existsSync("node_modules/@effect/tsgo")) {
  execFileSync("npx", ["effect-tsgo", "patch", "--typescript", "--skip-missing"], { stdio: "inherit" })
  execFileSync("npm", ["run", "build"], { stdio: "inherit" })
} else {
  console.log("the development tools are not installed: dist/ is not built")
}
