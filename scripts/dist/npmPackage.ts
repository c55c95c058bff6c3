/** The package for npm, and the list of the software in it (SBOM) in CycloneDX's format. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { field, root, version } from "./application.ts"

const npm = (...args: ReadonlyArray<string>): string =>
  execFileSync("npm", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })

/** Writes the package into a directory and returns its name. npm gives all files the same time. */
export const npmPackage = (directory: string): string => {
  npm("pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", directory)
  return `${field("name")}-${version}.tgz`
}

interface Bom {
  readonly serialNumber: string
  readonly metadata: { readonly timestamp: string; readonly component: { readonly name: string } }
}

/** Returns an identifier that depends on a text only, in the form of a UUID. */
const uuidOf = (text: string): string => {
  const digits = createHash("sha256").update(text).digest("hex")
  const parts = [digits.slice(0, 8), digits.slice(8, 12), `8${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`]
  return [...parts, digits.slice(20, 32)].join("-")
}

/**
 * Returns the name and the text of the list: npm's, but with the time of the commit, in seconds, and with an identifier and a name
 * that do not depend on the run and the directory.
 */
export const sbom = (time: number): { readonly name: string; readonly data: string } => {
  const bom: Bom = JSON.parse(npm("sbom", "--sbom-format=cyclonedx", "--omit=dev", "--package-lock-only"))
  const metadata = {
    ...bom.metadata,
    timestamp: new Date(time * 1000).toISOString(),
    component: { ...bom.metadata.component, name: field("name") }
  }
  const content = { ...bom, metadata }
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify({ ...content, serialNumber: "" }))}`
  return {
    name: `${field("name")}-${version}.cdx.json`,
    data: `${JSON.stringify({ ...content, serialNumber }, undefined, 2)}\n`
  }
}
