/** The image for containers, unpacked without a container engine. Run `npm run build` before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { execFile, execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { promisify } from "node:util"
import * as Zlib from "node:zlib"
import { afterAll, beforeAll } from "vitest"
import { ociImage } from "../../scripts/dist/ociImage.ts"
import * as Daemon from "../integration/daemon.ts"
import { isBuilt } from "./project.ts"

const run = promisify(execFile)

/** Whether this process may give programs a root directory and mounts of their own, as a container engine does. */
const canIsolate = ((): boolean => {
  try {
    execFileSync("unshare", ["--mount", "sh", "-c", "mount --bind /proc /proc && chroot / true"], { stdio: "ignore" })
    return process.getuid?.() === 0
  } catch {
    return false
  }
})()

const canBuild = isBuilt && process.platform === "linux" && ["x64", "arm64"].includes(process.arch)

const Descriptor = Schema.Struct({ mediaType: Schema.String, digest: Schema.String, size: Schema.Int })
const Index = Schema.fromJsonString(Schema.Struct({
  schemaVersion: Schema.Literal(2),
  manifests: Schema.Tuple([Schema.Struct({
    ...Descriptor.fields,
    platform: Schema.Struct({ architecture: Schema.String, os: Schema.Literal("linux") })
  })])
}))
const Manifest = Schema.fromJsonString(Schema.Struct({ config: Descriptor, layers: Schema.Array(Descriptor) }))
const Config = Schema.fromJsonString(Schema.Struct({
  created: Schema.String,
  config: Schema.Struct({
    User: Schema.String,
    Env: Schema.Array(Schema.String),
    Cmd: Schema.Array(Schema.String),
    Healthcheck: Schema.Struct({ Test: Schema.Array(Schema.String) })
  }),
  rootfs: Schema.Struct({ diff_ids: Schema.Array(Schema.String) })
}))
const ForDocker = Schema.fromJsonString(
  Schema.Tuple([Schema.Struct({ Config: Schema.String, Layers: Schema.Array(Schema.String) })])
)

/** A script that runs a command as a container engine does: its arguments are a root, a data directory and the command. */
const asContainer = `root=$1; data=$2; shift 2
  mount --bind "$root" "$root"; mount -o remount,ro,bind "$root"
  mount --rbind /proc "$root/proc"; mount --rbind /dev "$root/dev"; mount --bind "$data" "$root/data"
  PATH=/usr/bin exec /usr/sbin/chroot --userspec=10001:10001 "$root" "$@"`

/** Any commit's, in seconds. */
const time = 1_700_000_000

const sha256 = (data: Uint8Array): string => `sha256:${createHash("sha256").update(data).digest("hex")}`

describe.skipIf(!canBuild)("the image for containers", () => {
  let directory = ""
  const layout = (path: string): string => join(directory, "layout", path)
  const root = (path: string): string => join(directory, "root", path)
  const read = <A>(schema: Schema.Codec<A, string>, path: string): A =>
    Schema.decodeSync(schema)(Fs.readFileSync(layout(path), "utf8"))

  /** Returns a blob, after a check of its size and digest. */
  const blob = ({ digest, size }: typeof Descriptor.Type): Buffer => {
    const data = Fs.readFileSync(layout(`blobs/${digest.replace(":", "/")}`))
    assert.strictEqual(data.length, size)
    assert.strictEqual(sha256(data), digest)
    return data
  }
  const image = () => {
    const [reference] = read(Index, "index.json").manifests
    const manifest = Schema.decodeSync(Manifest)(blob(reference).toString())
    return { ...manifest, settings: Schema.decodeSync(Config)(blob(manifest.config).toString()) }
  }

  beforeAll(async () => {
    directory = Fs.mkdtempSync(join(tmpdir(), "image-"))
    for (const path of [layout(""), root("")]) Fs.mkdirSync(path)
    const archive = join(directory, "image.tar")
    Fs.writeFileSync(archive, ociImage(time).data)
    await run("tar", ["-xf", archive, "-C", layout("")])
    for (const { digest } of image().layers) {
      await run("tar", ["-xpzf", layout(`blobs/${digest.replace(":", "/")}`), "-C", root("")])
    }
  }, 480_000)
  afterAll(() => Fs.rmSync(directory, { recursive: true, force: true }))

  it("every digest is that of its blob, and of the layer before compression", () => {
    const { layers, settings } = image()
    assert.deepStrictEqual(layers.map((layer) => sha256(Zlib.gunzipSync(blob(layer)))), settings.rootfs.diff_ids)
    assert.strictEqual(Date.parse(settings.created), time * 1000)
  })

  it("Docker's own description refers to the same configuration and layers", () => {
    const { config, layers } = image()
    const [{ Config: configPath, Layers: layerPaths }] = read(ForDocker, "manifest.json")
    const pathOf = ({ digest }: typeof Descriptor.Type): string => `blobs/${digest.replace(":", "/")}`
    assert.strictEqual(configPath, pathOf(config))
    assert.deepStrictEqual(layerPaths, layers.map(pathOf))
  })

  it("nsqd is what runs, as a user other than root, and its health is checked", () => {
    const { config } = image().settings
    assert.deepStrictEqual(config.Cmd, ["nsqd"])
    assert.strictEqual(config.User, "10001:10001")
    assert.include(config.Env, "NSQD_DATA_PATH=/data")
    assert.include(config.Healthcheck.Test.join(" "), "/ping")
    for (const program of ["node", "env", "flock", "nsqd", "nsqlookupd", "nsqadmin", "nsq", "nsq_tail"]) {
      assert.isTrue(Fs.statSync(root(`usr/bin/${program}`)).isFile(), program)
    }
    assert.include(Fs.readFileSync(root("etc/passwd"), "utf8"), "nsq:x:10001:10001:")
  })

  it.live.skipIf(!canIsolate)(
    "with a read-only root, its nsqd receives a message and its nsq_tail delivers it",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        Fs.chownSync(data, 10_001, 10_001)
        const isolated = (...command: ReadonlyArray<string>): ReadonlyArray<string> => [
          "unshare",
          "--mount",
          "sh",
          "-ec",
          asContainer,
          "sh",
          join(directory, "root"),
          data,
          ...command
        ]
        const daemon = yield* Daemon.start("/data", [], { command: isolated("/usr/bin/nsqd") })
        assert.strictEqual((yield* Daemon.http(daemon, "/pub?topic=orders", "tea")).body, "OK")
        const tail = ["/usr/bin/nsq_tail", "--topic=orders", "-n=1", `--nsqd-tcp-address=127.0.0.1:${daemon.tcpPort}`]
        const [command = "", ...args] = isolated(...tail)
        const { stdout } = yield* Effect.promise(() => run(command, args))
        assert.strictEqual(stdout, "tea\n")
        yield* daemon.signal("SIGTERM")
        assert.strictEqual(yield* daemon.exited, 0)
        assert.include(Fs.readdirSync(data), "nsqd.dat")
      }),
    240_000
  )
})
