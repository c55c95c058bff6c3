/**
 * The `version` script of npm: `npm version 0.2.0` sets the version in package.json, runs this script, commits and tags. It writes
 * the version into the sources and the manifests of Kubernetes, and turns the changelog's section of unreleased changes into that
 * of the version.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"

const { version } = JSON.parse(Fs.readFileSync("package.json", "utf8"))
const today = new Date().toISOString().slice(0, "YYYY-MM-DD".length)

/** Replaces the only match of a pattern in a file. */
const edit = (file: string, pattern: RegExp, replacement: string): void => {
  const text = Fs.readFileSync(file, "utf8")
  if (!pattern.test(text)) throw new Error(`${file} has no match of ${pattern}`)
  Fs.writeFileSync(file, text.replace(pattern, replacement))
  execFileSync("git", ["add", file])
}

edit("src/services/core/Version.ts", /packageVersion = "[^"]*"/, `packageVersion = "${version}"`)
edit("CHANGELOG.md", /^## \[Unreleased\]\n/m, `## [Unreleased]\n\n## [${version}] - ${today}\n`)
edit("packaging/helm/effect-nsq/Chart.yaml", /^version: .*$/m, `version: ${version}`)
edit("packaging/helm/effect-nsq/Chart.yaml", /^appVersion: .*$/m, `appVersion: "${version}"`)
for (const daemon of ["nsqlookupd", "nsqd", "nsqadmin"]) {
  edit(`packaging/kubernetes/${daemon}.yaml`, /image: "effect-nsq:[^"]*"/, `image: "effect-nsq:${version}"`)
}
