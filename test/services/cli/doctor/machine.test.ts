import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, FileSystem, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as machine from "../../../../src/services/cli/doctor/machine.ts"
import { publish } from "../../../../src/services/nsqd/broker/InProcess.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { Nsqd } from "../../../../src/services/nsqd/Nsqd.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { issue } from "../../net/certificates.ts"
import { failureOf, runAlone } from "../cli.ts"
import { checksOf } from "./findings.ts"

/** A directory that is removed with the Scope. */
const directory = Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped())

const write = (path: string, text: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.writeFileString(path, text))

/** Writes a certificate that is valid for a number of days. */
const certificate = Effect.fnUntraced(function*(days: number) {
  const path = yield* directory
  const now = yield* Clock.currentTimeMillis
  const { cert, key } = yield* issue("localhost", undefined, new Date(now + days * 86_400_000))
  yield* write(`${path}/cert.pem`, cert)
  yield* write(`${path}/key.pem`, key)
  return { key: `${path}/key.pem`, cert: `${path}/cert.pem` }
})

/** The findings about a config file of this text. */
const ofFile = Effect.fnUntraced(function*(text: string, name = "nsqd.cfg") {
  const path = `${yield* directory}/${name}`
  yield* write(path, text)
  const findings = yield* checksOf(yield* runAlone(["doctor", "--json", `--config=${path}`]))
  return findings.map(({ cause, check }) => [check, cause] as const)
})

const checks = (findings: ReadonlyArray<readonly [check: string, cause: string]>) => findings.map(([check]) => check)

const quiet = "tcp_address = \"127.0.0.1:0\"\nhttp_address = \"127.0.0.1:0\"\nhttps_address = \"127.0.0.1:0\"\n"

const world = Effect.provide(NodeServices.layer)

/** A disk whose syncs take 50 ms. */
const slow = Layer.effect(
  Disk,
  Effect.map(Disk, (disk) => ({
    ...disk,
    create: (path: string) =>
      Effect.map(disk.create(path), (file) => ({ ...file, sync: TestClock.adjust("50 millis") }))
  }))
).pipe(Layer.provideMerge(FaultyDisk.layer))

describe("nsq doctor, of a machine", () => {
  it.live("a config file without problems has no findings", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ofFile(quiet), [])
    }).pipe(Effect.scoped, world))

  it.live("options that the daemon refuses, unknown keys and missing files are found", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ofFile(`${quiet}max_deflate_level = 10\n`), [
        ["invalid-options", "--max-deflate-level must be [1,9]"]
      ])
      assert.deepStrictEqual(checks(yield* ofFile("nope = 1\n", "nsqlookupd.cfg")), ["invalid-options"])
      const missing = yield* runAlone(["doctor", "--json", "--config=nsqadmin=/nowhere.cfg"])
      assert.deepStrictEqual((yield* checksOf(missing)).map(({ subject }) => subject), ["nsqadmin /nowhere.cfg"])
    }).pipe(Effect.scoped, world))

  it.live("options that contradict each other are found", () =>
    Effect.gen(function*() {
      const planted = [
        ["msg_timeout = \"20m\"\n", /^msg_timeout is longer than max_msg_timeout/],
        ["max_msg_size = 10000000\n", /^max_msg_size \(10000000\) exceeds max_body_size \(5242880\)/],
        ["auth_http_addresses = [\"127.0.0.1:1\"]\n", /secrets in clear text/],
        ["broadcast_address = \"0.0.0.0\"\n", /^broadcast_address 0\.0\.0\.0/],
        ["tls_key = \"/key.pem\"\n", /^tls_key is set without tls_cert/]
      ] as const
      for (const [line, cause] of planted) {
        const findings = yield* ofFile(quiet + line)
        assert.deepStrictEqual(checks(findings), ["contradicting-options"], line)
        assert.match(findings[0]?.[1] ?? "", cause)
      }
      const lookupd =
        "tcp_address = \"127.0.0.1:0\"\nhttp_address = \"127.0.0.1:0\"\ninactive_producer_timeout = \"10s\"\n"
      assert.deepStrictEqual(checks(yield* ofFile(lookupd, "nsqlookupd.cfg")), ["contradicting-options"])
    }).pipe(Effect.scoped, world))

  it.live("an option without effect is found", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(checks(yield* ofFile(`${quiet}queue_scan_worker_pool_max = 8\n`)), ["ineffective-options"])
    }).pipe(Effect.scoped, world))

  it.live("listeners on all addresses without authentication are found", () =>
    Effect.gen(function*() {
      const findings = yield* ofFile(quiet.replaceAll("127.0.0.1", "0.0.0.0"))
      assert.deepStrictEqual(checks(findings), ["insecure-listener", "insecure-listener"])
    }).pipe(Effect.scoped, world))

  it.live("a port that another process has is found, and not if it is the daemon itself", () =>
    Effect.gen(function*() {
      const dataPath = yield* directory
      const daemon = Nsqd.layerWith({ dataPath, tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0" })
      yield* Effect.gen(function*() {
        const { httpPort, tcpPort } = yield* Nsqd
        const tcp = `tcp_address = "127.0.0.1:${tcpPort}"\n`
        const findings = yield* ofFile(`${tcp}http_address = "127.0.0.1:0"\n`)
        assert.deepStrictEqual(checks(findings), ["unavailable-port"])
        assert.include(findings[0]?.[1], "address already in use")
        assert.deepStrictEqual(yield* ofFile(`${tcp}http_address = "127.0.0.1:${httpPort}"\n`), [])
      }).pipe(Effect.provide(daemon))
    }).pipe(Effect.scoped, world))

  it.live("a certificate that expires within 30 days is found, and so is a file that is not a certificate", () =>
    Effect.gen(function*() {
      const tls = ({ cert, key }: { readonly cert: string; readonly key: string }) =>
        `${quiet}tls_cert = "${cert}"\ntls_key = "${key}"\n`
      const findings = yield* ofFile(tls(yield* certificate(10)))
      assert.deepStrictEqual(checks(findings), ["expiring-certificate"])
      assert.match(findings[0]?.[1] ?? "", /in (9|10) days$/)
      assert.deepStrictEqual(yield* ofFile(tls(yield* certificate(90))), [])
      const { key } = yield* certificate(90)
      assert.deepStrictEqual(checks(yield* ofFile(tls({ cert: key, key }))), ["unreadable-certificate"])
    }).pipe(Effect.scoped, world))

  it.live("a limit of open files below the configured connections is found", () =>
    Effect.gen(function*() {
      const limits = `${quiet}max_connections = 2000\nmax_http_connections = 1000\n`
      const under = (limit: number) =>
        Effect.provideService(ofFile(limits), machine.DescriptorLimit, Effect.succeed(limit))
      assert.deepStrictEqual(checks(yield* under(3999)), ["low-descriptor-limit"])
      assert.deepStrictEqual(yield* under(4000), [])
    }).pipe(Effect.scoped, world))

  it.effect("a disk whose syncs are slow is found", () =>
    Effect.gen(function*() {
      const [finding] = yield* machine.slowDisk("/data")
      assert.strictEqual(finding?.check, "slow-disk")
      assert.include(finding?.cause, "50 ms")
    }).pipe(Effect.provide(slow)))

  it.effect("a disk that is fast has no finding, and the file of the measurement is removed", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* machine.slowDisk("/data"), [])
      assert.deepStrictEqual([...(yield* FaultyDisk).files()], [])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a disk that is nearly full is found", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put("/data/t", Buffer.alloc(95_000))
      disk.resize(100_000)
      assert.strictEqual((yield* machine.fullDisk("/data", 0))[0]?.check, "full-disk")
      disk.resize(1_000_000)
      assert.deepStrictEqual(yield* machine.fullDisk("/data", 0), [])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a disk that has less free space than durable topics need is found, whatever its size", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.resize(32 * 1_048_576)
      const [finding] = yield* machine.fullDisk("/data", 64 * 1_048_576)
      assert.deepStrictEqual([finding?.check, finding?.cause], [
        "full-disk",
        "32 MiB of its file system are free, less than --min-free-bytes (64 MiB)"
      ])
      disk.resize(128 * 1_048_576)
      assert.deepStrictEqual(yield* machine.fullDisk("/data", 64 * 1_048_576), [])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.live("a damaged message in the log of a durable topic is found by its checksum", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const dataPath = yield* directory
      // Two commits: a last one that is damaged is taken for incomplete.
      yield* Effect.andThen(publish("orders", Buffer.alloc(100, "tea")), publish("orders", Buffer.from("milk"))).pipe(
        Effect.provide(Nsqd.layerWith({ dataPath, durability: "written" }, { tcp: false, http: false }))
      )
      const names = yield* files.readDirectory(dataPath, { recursive: true })
      const segment = names.find((name) => name.endsWith(".segment"))
      const path = `${dataPath}/${segment}`
      const bytes = Buffer.from(yield* files.readFile(path))
      bytes.write("T", bytes.indexOf("teatea"))
      yield* files.writeFile(path, bytes)
      const ran = yield* runAlone([
        "doctor",
        "--json",
        `--data-path=${dataPath}`,
        "--skip=full-disk",
        "--skip=slow-disk"
      ])
      const found = yield* checksOf(ran)
      assert.deepStrictEqual(found.map(({ check }) => check), ["damaged-data"])
    }).pipe(Effect.scoped, world))

  it.live("damaged files and a missing data directory are found", () =>
    Effect.gen(function*() {
      const dataPath = yield* directory
      const found = (path: string) =>
        Effect.flatMap(
          runAlone(["doctor", "--json", `--data-path=${path}`, "--skip=full-disk", "--skip=slow-disk"]),
          checksOf
        )
      assert.deepStrictEqual(yield* found(dataPath), [])
      yield* write(`${dataPath}/nsqd.dat`, "{ no metadata")
      assert.deepStrictEqual((yield* found(dataPath)).map(({ check }) => check), ["damaged-data"])
      const missing = yield* runAlone(["doctor", "--json", `--data-path=${dataPath}/missing`])
      assert.deepStrictEqual((yield* checksOf(missing)).map(({ check }) => check), ["unusable-data-directory"])
      assert.deepStrictEqual(failureOf(missing), [4, "1 finding"])
    }).pipe(Effect.scoped, world))
})
