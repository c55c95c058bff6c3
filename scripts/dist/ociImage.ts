/**
 * An image for containers in the layout of the Open Container Initiative, as a tar: what packaging/docker/Dockerfile makes with a
 * daemon and a network, made with neither. Its lower layer has Node and the libraries of this machine that Node needs, its upper layer
 * the programs.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { application, field, nodeLicense, root, version } from "./application.ts"
import { gzip, tar } from "./tar.ts"
import { copy, type Entry, text } from "./tree.ts"

/** The user of the daemons, and their group. */
const user = 10_001

/** Node's names of architectures, in those of images. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" }

/** Programs of this machine: `env` starts scripts, `flock` locks the data directory of nsqd. */
const tools = ["/usr/bin/env", "/usr/bin/flock"]

/** Modules that the C library loads to resolve names, before version 2.34. */
const resolvers = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]

/** Returns the paths of the libraries of this machine that programs load. */
export const librariesOf = (programs: ReadonlyArray<string>): ReadonlyArray<string> => {
  const output = execFileSync("ldd", programs, { encoding: "utf8" })
  const paths = new Set(Array.from(output.matchAll(/(?:=> )?(\/\S+) \(0x/g), ([, path = ""]) => path))
  const directory = Path.dirname(Array.from(paths).find((path) => path.includes("/libc.so")) ?? "/lib/none")
  for (const name of resolvers) paths.add(Path.join(directory, name))
  return Array.from(paths).filter((path) => Fs.existsSync(path))
}

const withoutSlash = (path: string): string => path.slice(1)

const system = (): ReadonlyArray<Entry> => {
  const node = Path.join(root, "node_modules/node/bin/node")
  const license = nodeLicense()
  return [
    copy("usr/bin/node", node, 0o755),
    ...(license === undefined ? [] : [copy("usr/share/doc/node/copyright", license)]),
    ...tools.map((path) => copy(withoutSlash(path), path, 0o755)),
    ...librariesOf([node, ...tools]).map((path) => copy(withoutSlash(path), path, 0o755)),
    text("etc/passwd", `root:x:0:0:root:/:/nonexistent\nnsq:x:${user}:${user}:nsq:/data:/nonexistent\n`),
    text("etc/group", `root:x:0:\nnsq:x:${user}:\n`),
    text("etc/nsswitch.conf", "hosts: files dns\n"),
    { path: "tmp", type: "directory", mode: 0o1777 },
    { path: "data", type: "directory", mode: 0o750, owner: user },
    // Where the runtime mounts its own.
    { path: "dev", type: "directory" },
    { path: "proc", type: "directory" }
  ]
}

const digestOf = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex")

const layerType = "application/vnd.oci.image.layer.v1.tar+gzip"
const configType = "application/vnd.oci.image.config.v1+json"
const manifestType = "application/vnd.oci.image.manifest.v1+json"

const blobPath = (digest: string): string => `blobs/sha256/${digest}`

/** Returns the name and the bytes of the image. `time` is in seconds. */
export const ociImage = (time: number): { readonly name: string; readonly data: Buffer } => {
  const architecture = architectures[process.arch]
  if (process.platform !== "linux" || architecture === undefined) {
    throw new Error(`an image for ${process.platform} on ${process.arch} cannot be built; use Linux on x64 or arm64`)
  }
  const created = new Date(time * 1000).toISOString()
  const files: Array<Entry> = []
  /** Adds a blob, and returns the descriptor that refers to it. */
  const blob = (mediaType: string, data: Uint8Array) => {
    const digest = digestOf(data)
    files.push({ path: blobPath(digest), type: "file", data })
    return { mediaType, digest: `sha256:${digest}`, size: data.length }
  }
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

  const layers = [
    { comment: "Node and its libraries", entries: system() },
    { comment: `effect-nsq ${version}`, entries: application() }
  ].map(({ comment, entries }) => {
    const data = tar(entries, time)
    return { comment, diffId: `sha256:${digestOf(data)}`, descriptor: blob(layerType, gzip(data, 6)) }
  })
  const labels = {
    "org.opencontainers.image.created": created,
    "org.opencontainers.image.description": field("description"),
    "org.opencontainers.image.licenses": field("license"),
    "org.opencontainers.image.title": field("name"),
    "org.opencontainers.image.version": version
  }
  const ping =
    "fetch('http://127.0.0.1:4151/ping').then((response) => process.exit(response.ok ? 0 : 1), () => process.exit(1))"
  const second = 1_000_000_000
  const config = blob(
    configType,
    json({
      created,
      architecture,
      os: "linux",
      config: {
        User: `${user}:${user}`,
        Env: ["PATH=/usr/bin", "NSQD_DATA_PATH=/data"],
        Cmd: ["nsqd"],
        WorkingDir: "/data",
        Volumes: { "/data": {} },
        ExposedPorts: Object.fromEntries([4150, 4151, 4152, 4160, 4161, 4171].map((port) => [`${port}/tcp`, {}])),
        StopSignal: "SIGTERM",
        Labels: labels,
        Healthcheck: {
          Test: ["CMD", "node", "-e", ping],
          Interval: 10 * second,
          Timeout: 3 * second,
          StartPeriod: 5 * second,
          Retries: 3
        }
      },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(({ comment }) => ({ created, created_by: "npm run dist", comment }))
    })
  )
  const descriptors = layers.map(({ descriptor }) => descriptor)
  const manifest = blob(manifestType, json({ schemaVersion: 2, mediaType: manifestType, config, layers: descriptors }))
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{
      ...manifest,
      platform: { architecture, os: "linux" },
      annotations: { "org.opencontainers.image.ref.name": version }
    }]
  }
  // The form of `docker save`, which versions of Docker before 25 load; it refers to the same blobs.
  const forDocker = [{
    Config: blobPath(config.digest.slice("sha256:".length)),
    RepoTags: [`effect-nsq:${version}`],
    Layers: descriptors.map(({ digest }) => blobPath(digest.slice("sha256:".length)))
  }]
  files.push(
    text("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })),
    text("index.json", JSON.stringify(index)),
    text("manifest.json", JSON.stringify(forDocker))
  )
  return { name: `effect-nsq-${version}-linux-${architecture}.oci.tar`, data: tar(files, time) }
}
