import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { generate } from "selfsigned"
import { afterEach, beforeEach } from "vitest"
import { packageVersion } from "../../src/services/core/Version.ts"
import { killAll } from "./children.ts"

const program = resolve(import.meta.dirname, "../../src/programs/nsqd.ts")

/** A running nsqd: its output, and its exit code after its end. */
const start = (...flags: ReadonlyArray<string>) => startIn({}, ...flags)

/** Starts an nsqd with environment variables. */
const startIn = (environment: Readonly<Record<string, string>>, ...flags: ReadonlyArray<string>) => {
  const addresses = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${dataPath}`]
  const child = spawn(process.execPath, [program, ...addresses, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment }
  })
  const printed = { out: "", err: "" }
  child.stdout.on("data", (chunk) => printed.out += chunk)
  child.stderr.on("data", (chunk) => printed.err += chunk)
  const code = new Promise<number | null>((resolve) => child.on("close", resolve))
  running.push(child)
  const logged = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => pattern.test(printed.err) && resolve()
      child.stderr.on("data", look)
      child.on("close", () => reject(new Error(`ended without ${pattern}: ${printed.err}`)))
      look()
    })
  return { printed, code, logged, kill: (signal: NodeJS.Signals) => child.kill(signal) }
}

/** Sends requests to the HTTP API of an nsqd that has started. */
const requestsTo = async ({ logged, printed }: ReturnType<typeof start>) => {
  await logged(/TCP: listening on /)
  const port = /HTTP: listening on .*:(\d+)/.exec(printed.err)?.[1]
  return (method: string, path: string, body?: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body === undefined ? {} : { body }) })
}

const ended = async (...flags: ReadonlyArray<string>) => {
  const { code, printed } = start(...flags)
  const exitCode = await code
  return { code: exitCode, ...printed }
}

let dataPath = ""
let running: Array<ReturnType<typeof spawn>> = []

beforeEach(() => {
  dataPath = mkdtempSync(join(tmpdir(), "nsqd-test-"))
})

afterEach(async () => {
  await killAll(running)
  running = []
  rmSync(dataPath, { recursive: true, force: true })
})

const line = (level: string, text: string) =>
  new RegExp(`^\\[nsqd\\] \\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{6} ${level}: ${text}`, "m")

describe("nsqd", () => {
  it("nsqd --version prints the version on standard output and exits with 0", async () => {
    const { code, err, out } = await ended("--version")
    assert.deepStrictEqual([code, err], [0, ""])
    assert.strictEqual(out, `nsqd v1.3.0 (built w/effect-nsq ${packageVersion}, node ${process.version})\n`)
  })

  it("nsqd -h prints the usage on standard error and exits with 0", async () => {
    const { code, err, out } = await ended("-h")
    assert.deepStrictEqual([code, out], [0, ""])
    assert.match(err, /^Usage of nsqd:\n {2}-config string\n/)
  })

  it("nsqd exits with 2 and the usage for an invalid command line", async () => {
    const { code, err, out } = await ended("--nope")
    assert.deepStrictEqual([code, out], [2, ""])
    assert.match(err, /^flag provided but not defined: -nope\nUsage of nsqd:\n/)
  })

  it("nsqd says which program has an unknown flag, and which of its own is meant, below the usage", async () => {
    const misspelt = await ended("--mem-queue-sise=5")
    assert.strictEqual(misspelt.code, 2)
    assert.match(misspelt.err, /\nnsqd: did you mean -mem-queue-size\?\n$/)
    const last = async (...args: ReadonlyArray<string>) => (await ended(...args)).err.trimEnd().split("\n").at(-1)
    assert.strictEqual(await last("--zzz"), "nsqd: flag provided but not defined: -zzz")
    assert.strictEqual(
      await last("--mem-queue-size=-5"),
      "nsqd: invalid value \"-5\" for flag -mem-queue-size: must be at least 0"
    )
    assert.strictEqual(
      await last("--msg-timeout=5"),
      "nsqd: invalid value \"5\" for flag -msg-timeout: parse error; give a duration such as 90s or 1h30m"
    )
    const { code, err } = await ended("--lookupd-http-address=127.0.0.1:4161")
    assert.strictEqual(code, 2)
    assert.match(err, /\nnsqd: -lookupd-http-address is a flag of nsqadmin, .*; did you mean -lookupd-tcp-address\?\n$/)
  }, 60_000)

  it("nsqd exits with 1 for a percentile that is not a number", async () => {
    const { code, err } = await ended("--e2e-processing-latency-percentile=abc")
    assert.strictEqual(code, 1)
    assert.match(err, /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d Could not parse: abc\n$/)
  })

  it("nsqd exits with 1 and a FATAL line with the default prefix when it cannot start", async () => {
    const { code, err } = await ended("--node-id=1024", "--log-prefix=mine ", "--log-level=error")
    assert.strictEqual(code, 1)
    assert.match(err, line("FATAL", "failed to instantiate nsqd - --node-id must be \\[0,1024\\)\n$"))
    assert.notInclude(err, "bye")
  })

  it("nsqd does not start with an unusable config file, and reports why at every log level", async () => {
    const missing = join(dataPath, "none.cfg")
    const { code, err } = await ended(`--config=${missing}`, "--log-level=fatal", "--log-prefix=mine ")
    assert.strictEqual(code, 1)
    assert.match(err, line("FATAL", `failed to load config file ${missing} - open .*: no such file or directory\n$`))
  })

  it("nsqd takes options from flags, environment and config file, in this order", async () => {
    const file = join(dataPath, "nsqd.cfg")
    writeFileSync(file, "log_prefix = \"file \"\nlog_format = \"json\"\nid = 3\nqueue_scan_selection_count = 5\n")
    const environment = {
      NSQD_CONFIG: file,
      NSQD_LOG_FORMAT: "nsq",
      NSQD_NODE_ID: "4",
      NSQD_PORT: "tcp://10.0.0.1:4150"
    }
    const nsqd = startIn(environment, "--node-id=5")
    await nsqd.logged(/INFO: ID: 5\n/)
    assert.match(nsqd.printed.err, /^file .* WARNING: --queue-scan-selection-count has no effect: /m)
    nsqd.kill("SIGTERM")
    assert.strictEqual(await nsqd.code, 0)
  })

  it("nsqd does not start with an invalid environment variable", async () => {
    const nsqd = startIn({ NSQD_MSG_TIMEOUT: "soon" })
    assert.strictEqual(await nsqd.code, 1)
    const text = "failed to read the environment - NSQD_MSG_TIMEOUT: time: invalid duration \"soon\"\n$"
    assert.match(nsqd.printed.err, line("FATAL", text))
  })

  it("nsqd warns of deprecated flags", async () => {
    const nsqd = start("--max-message-size=5")
    await nsqd.logged(line("INFO", "ID: \\d+"))
    assert.match(nsqd.printed.err, line("WARNING", "--max-message-size is deprecated, use --max-msg-size"))
  })

  it("nsqd stops in order and exits with 0 after one or more SIGTERM and SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const nsqd = start()
      await nsqd.logged(line("INFO", "ID: \\d+"))
      nsqd.kill(signal)
      nsqd.kill(signal)
      assert.strictEqual(await nsqd.code, 0)
      assert.match(nsqd.printed.err, line("INFO", "NSQ: bye\n$"))
    }
  })

  it("nsqd with --drain-on-term drains at SIGTERM: it refuses publishes, and stops when its queues are empty", async () => {
    const nsqd = start("--drain-on-term", "--drain-timeout=0")
    const request = await requestsTo(nsqd)
    await request("POST", "/pub?topic=t", "message")
    nsqd.kill("SIGTERM")
    await nsqd.logged(line("INFO", "DRAIN: refusing publishes, 1 topics have messages"))
    assert.strictEqual((await request("POST", "/pub?topic=t", "message")).status, 503)
    await request("POST", "/topic/empty?topic=t")
    assert.strictEqual(await nsqd.code, 0)
    assert.match(nsqd.printed.err, line("INFO", "NSQ: bye\n$"))
  })

  it("a second signal ends the drain of --drain-on-term, and so does --drain-timeout", async () => {
    const nsqd = start("--drain-on-term", "--drain-timeout=0")
    const request = await requestsTo(nsqd)
    await request("POST", "/pub?topic=t", "message")
    nsqd.kill("SIGTERM")
    await nsqd.logged(line("INFO", "DRAIN: refusing publishes"))
    nsqd.kill("SIGTERM")
    assert.strictEqual(await nsqd.code, 0)
    const again = start("--drain-on-term", "--drain-timeout=10ms")
    await requestsTo(again)
    again.kill("SIGTERM")
    assert.strictEqual(await again.code, 0)
    assert.match(again.printed.err, line("WARNING", "DRAIN: messages remain after --drain-timeout; stopping"))
  })

  it("nsqd reloads on SIGHUP and continues", async () => {
    const nsqd = start()
    await nsqd.logged(line("INFO", "ID: \\d+"))
    nsqd.kill("SIGHUP")
    await nsqd.logged(line("INFO", "NSQ: .*SIGHUP"))
    nsqd.kill("SIGTERM")
    assert.strictEqual(await nsqd.code, 0)
  })

  it("nsqd reads its certificates again on SIGHUP, and keeps the old ones if the new ones are not valid", async () => {
    const [cert, key] = [join(dataPath, "server.pem"), join(dataPath, "server.key")]
    const issued = await generate([{ name: "commonName", value: "localhost" }], { keyType: "ec", algorithm: "sha256" })
    writeFileSync(cert, issued.cert)
    writeFileSync(key, issued.private)
    const nsqd = start(`--tls-cert=${cert}`, `--tls-key=${key}`, "--https-address=127.0.0.1:0")
    await nsqd.logged(line("INFO", "HTTPS: listening on "))
    nsqd.kill("SIGHUP")
    await nsqd.logged(line("INFO", "NSQ: SIGHUP received, TLS certificates reloaded"))
    writeFileSync(key, "no key")
    nsqd.kill("SIGHUP")
    await nsqd.logged(line("ERROR", "NSQ: SIGHUP received, TLS certificates not reloaded - --tls-key: "))
    nsqd.kill("SIGTERM")
    assert.strictEqual(await nsqd.code, 0)
  })

  it("nsqd does not start with an invalid TLS configuration, and reports why", async () => {
    const fatal = (why: string) => line("FATAL", `failed to instantiate nsqd - ${why}`)
    const missing = await ended("--tls-cert=/none.pem", "--tls-key=/none.key")
    assert.strictEqual(missing.code, 1)
    assert.match(missing.err, fatal("failed to build TLS config - --tls-cert: open "))
    const policy = await ended("--tls-client-auth-policy=any", "--tls-cert=/none.pem", "--tls-key=/none.key")
    assert.strictEqual(policy.code, 1)
    assert.match(policy.err, fatal("failed to build TLS config - --tls-client-auth-policy must be require or"))
    const required = await ended("--tls-required")
    assert.strictEqual(required.code, 1)
    assert.match(required.err, fatal("cannot require TLS client connections without TLS key and cert"))
  })

  it("nsqd logs one JSON object per line with --log-format=json", async () => {
    const nsqd = start("--log-format=json")
    await nsqd.logged(/"ID: \d+"/)
    nsqd.kill("SIGTERM")
    await nsqd.code
    for (const text of nsqd.printed.err.trimEnd().split("\n")) assert.strictEqual(JSON.parse(text).level, "info")
  })
})
