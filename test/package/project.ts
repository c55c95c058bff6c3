/** A project that has installed the packed package, with the versions of its dependencies that package-lock.json has. */
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"
import { root } from "./entryPoints.ts"

/** Whether the package has been built. */
export const isBuilt = Fs.existsSync(Path.join(root, "dist/bin/nsqd")) &&
  Fs.existsSync(Path.join(root, "dist/index.js"))

const run = promisify(execFile)
const limits = { maxBuffer: 64 * 1024 * 1024 }

type Names = Readonly<Record<string, string>>

interface Manifest {
  readonly name: string
  readonly version: string
  readonly dependencies?: Names
  readonly optionalDependencies?: Names
  readonly peerDependencies?: Names
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

const readJson = <A>(...path: ReadonlyArray<string>): A => JSON.parse(Fs.readFileSync(Path.join(...path), "utf8"))

/** The packages that npm installs with a package: all but optional peers. */
const required = ({ dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta }: Manifest) => [
  ...Object.keys({ ...dependencies, ...optionalDependencies }),
  ...Object.keys(peerDependencies ?? {}).filter((name) => peerDependenciesMeta?.[name]?.optional !== true)
]

/** Returns the entries of the lock file that the packages need. */
const locked = (names: ReadonlyArray<string>): Record<string, Manifest> => {
  const { packages } = readJson<{ packages: Record<string, Manifest> }>(root, "package-lock.json")
  const found: Record<string, Manifest> = {}
  /** Adds what `name` is for a package at `from`: the nearest one above it. */
  const add = (name: string, from: string): void => {
    const path = `${from === "" ? "" : `${from}/`}node_modules/${name}`
    const entry = packages[path]
    if (entry === undefined) {
      if (from !== "") add(name, from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))))
      return
    }
    if (found[path] !== undefined) return
    const { dev: _dev, devOptional: _devOptional, ...plain } = { dev: false, devOptional: false, ...entry }
    found[path] = plain
    for (const next of required(entry)) add(next, path)
  }
  for (const name of names) add(name, "")
  return found
}

/** Returns the paths of the files that npm publishes. */
export const packedFiles = async (): Promise<ReadonlyArray<string>> => {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, ...limits })
  const packed: { readonly [key: string]: { readonly files: ReadonlyArray<{ readonly path: string }> } } = JSON.parse(
    stdout
  )
  // An array, or an object by name, depending on the version of npm.
  return Object.values(packed).flatMap(({ files }) => files.map(({ path }) => path))
}

export interface Project {
  readonly directory: string
  readonly path: (...names: ReadonlyArray<string>) => string
  readonly write: (name: string, text: string) => string
  readonly remove: () => void
}

/** Installs the packed package and `@types/node` into an empty project, without optional dependencies: without native code. */
export const install = async (): Promise<Project> => {
  const directory = Fs.mkdtempSync(Path.join(tmpdir(), "package-"))
  const path = (...names: ReadonlyArray<string>): string => Path.join(directory, ...names)
  const write = (name: string, text: string): string => {
    Fs.mkdirSync(Path.dirname(path(name)), { recursive: true })
    Fs.writeFileSync(path(name), text)
    return path(name)
  }
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], { cwd: root, ...limits })
  const manifest = readJson<Manifest>(root, "package.json")
  const { devDependencies: _dev, scripts: _scripts, ...published } = { devDependencies: {}, scripts: {}, ...manifest }
  const file = `file:${manifest.name}-${manifest.version}.tgz`
  const needed = locked([...required({ ...manifest, optionalDependencies: {} }), "@types/node"])
  const optional = Object.fromEntries(
    Object.entries(locked(required(manifest))).map(([path, entry]) => [path, { ...entry, optional: true }])
  )
  const project = {
    name: "project",
    version: "1.0.0",
    private: true,
    type: "module",
    dependencies: { [manifest.name]: file },
    devDependencies: { "@types/node": "*" }
  }
  write("package.json", JSON.stringify(project))
  const packages = {
    "": project,
    [`node_modules/${manifest.name}`]: { ...published, resolved: file },
    ...optional,
    ...needed
  }
  write(
    "package-lock.json",
    JSON.stringify({ name: project.name, version: project.version, lockfileVersion: 3, requires: true, packages })
  )
  const args = ["ci", "--omit=optional", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
  await run("npm", args, { cwd: directory, ...limits })
  return { directory, path, write, remove: () => Fs.rmSync(directory, { recursive: true, force: true }) }
}
