/** The package for npm, and the list of the software in it (SBOM) in CycloneDX's format. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { field, root, version } from "./application.ts"

const npm = (...args: ReadonlyArray<string>): string =>
  execFileSync("npm", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })

/** The addresses of the project that `npm version` writes into package.json. */
const addresses = ["repository", "homepage", "bugs"]

/** Returns why the package with this manifest should not be published; `undefined` if it may be. */
export const unpublishable = (manifest: object): string | undefined => {
  const missing = addresses.filter((name) => !(name in manifest))
  return missing.length === 0
    ? undefined
    : `package.json has no ${
      missing.join(", ")
    }, without which npm publishes no provenance: before you publish, make the release by ` +
      "npm version in a clone with the remote origin"
}

/** Writes the package into a directory and returns its name. npm gives all files the same time. */
export const npmPackage = (directory: string): string => {
  const warning = unpublishable(JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8")))
  if (warning !== undefined) console.warn(`warning: ${warning}`)
  npm("pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", directory)
  return `${field("name")}-${version}.tgz`
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>
}

interface Component {
  readonly "bom-ref": string
  readonly name: string
  readonly properties?: ReadonlyArray<{ readonly name: string; readonly value: string }>
}

interface Bom {
  readonly serialNumber: string
  readonly metadata: { readonly timestamp: string; readonly component: Component }
  readonly components: ReadonlyArray<Component>
  readonly dependencies: ReadonlyArray<{ readonly ref: string; readonly dependsOn: ReadonlyArray<string> }>
}

/** Packages for development whose code the build copies into nsqadmin's pages. */
const bundled = ["@effect/atom-react", "react", "react-dom", "scheduler", "uplot"]

/** Returns the names of the packages that npm installs with this one, or whose code is in it. */
const shipped = (): ReadonlySet<string> => {
  const manifest: Manifest = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))
  const peers = Object.keys(manifest.peerDependencies)
    .filter((name) => manifest.peerDependenciesMeta[name]?.optional !== true)
  return new Set([
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.optionalDependencies),
    ...peers,
    ...bundled
  ])
}

const nameOf = (ref: string): string => ref.slice(0, ref.lastIndexOf("@"))

/** Returns the list with the shipped packages and what they depend on. `npm sbom --omit=dev` leaves out some of them. */
const withoutDevelopment = (bom: Bom): Bom => {
  const names = shipped()
  const rootRef = bom.metadata.component["bom-ref"]
  const dependencies = bom.dependencies.map(({ dependsOn, ref }) => ({
    ref,
    dependsOn: ref === rootRef ? dependsOn.filter((other) => names.has(nameOf(other))) : dependsOn
  }))
  const dependsOn = new Map(dependencies.map((entry) => [entry.ref, entry.dependsOn]))
  const reached = new Set([rootRef])
  for (const ref of reached) for (const other of dependsOn.get(ref) ?? []) reached.add(other)
  return {
    ...bom,
    components: bom.components.filter((component) => reached.has(component["bom-ref"])).map((component) => ({
      ...component,
      properties: (component.properties ?? []).filter(({ name }) => name !== "cdx:npm:package:development")
    })),
    dependencies: dependencies.filter(({ ref }) => reached.has(ref))
  }
}

/** Returns an identifier that depends on a text only, in the form of a UUID. */
const uuidOf = (text: string): string => {
  const digits = createHash("sha256").update(text).digest("hex")
  const parts = [digits.slice(0, 8), digits.slice(8, 12), `8${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`]
  return [...parts, digits.slice(20, 32)].join("-")
}

/**
 * Returns the name and the text of the list: npm's, without what is for development only, with the time of the commit, in seconds,
 * and with an identifier and a name that do not depend on the run and the directory.
 */
export const sbom = (time: number): { readonly name: string; readonly data: string } => {
  const bom: Bom = withoutDevelopment(JSON.parse(npm("sbom", "--sbom-format=cyclonedx", "--package-lock-only")))
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
