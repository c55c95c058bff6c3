/**
 * The `version` script of npm: `npm version 0.2.0` sets the version in package.json, runs this script, commits and tags. It writes
 * the version into the sources and the manifests of Kubernetes, turns the changelog's section of unreleased changes into that of the
 * version, and sets the address of the repository in package.json to that of the remote `origin`.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"

const manifest: Readonly<Record<string, unknown>> & { readonly version: string } = JSON.parse(
  Fs.readFileSync("package.json", "utf8")
)
const { version } = manifest
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

/** The address of the remote `origin` for browsers, `https://host/owner/name`; `undefined` without one on another host. */
const repository = (): string | undefined => {
  let remote: string
  try {
    remote = execFileSync("git", ["remote", "get-url", "origin"], { encoding: "utf8", stdio: "pipe" }).trim()
  } catch {
    return undefined
  }
  const [, host, path] =
    /^(?:https?:\/\/(?:[^@/]*@)?|ssh:\/\/(?:[^@/]*@)?|[^@/:]+@)([^/:]+\.[^/:]+)(?::\d+)?[/:](.+?)(?:\.git)?\/?$/.exec(
      remote
    ) ?? []
  return host === undefined ? undefined : `https://${host}/${path}`
}

const address = repository()
if (address === undefined) {
  console.warn("no remote origin on another host: package.json keeps its repository, homepage and bugs")
} else {
  const fields = {
    repository: { type: "git", url: `git+${address}.git` },
    homepage: `${address}#readme`,
    bugs: { url: `${address}/issues` }
  }
  Fs.writeFileSync("package.json", `${JSON.stringify({ ...manifest, ...fields }, undefined, 2)}\n`)
  execFileSync("git", ["add", "package.json"])
}
