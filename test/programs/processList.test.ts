/** The command line of each program in the list of processes, which all users of the machine can read. */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterEach, beforeEach } from "vitest"
import { killAll } from "./children.ts"

const programs = resolve(import.meta.dirname, "../../src/programs")

/** Accepts connections and sends nothing, so that clients wait. */
const connections = new Set<Socket>()
const silent = createServer((socket) => connections.add(socket))
let running: Array<ChildProcess> = []
let directory = ""

beforeEach(async () => {
  silent.listen(0, "127.0.0.1")
  await once(silent, "listening")
  directory = mkdtempSync(join(tmpdir(), "process-list-"))
})
afterEach(async () => {
  await killAll(running)
  running = []
  rmSync(directory, { recursive: true })
  // The server does not read what the clients have sent, so that their connections do not end by themselves.
  const closed = new Promise((resolve) => silent.close(resolve))
  for (const socket of connections) socket.destroy()
  connections.clear()
  await closed
})

const url = "http://alice:hunter2@127.0.0.1:1/x"
const any = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"]

/** The arguments of each program that contain a secret; `nsqd` is the address of an nsqd. */
const secrets: Readonly<Record<string, (nsqd: string) => ReadonlyArray<string>>> = {
  nsqd: () => [...any, `--data-path=${directory}`, `--auth-http-address=${url}`, `--otlp-endpoint=${url}`],
  nsqlookupd: () => [...any, `--http-allowed-host=${url}`],
  nsqadmin: (nsqd) => [
    "--http-address=127.0.0.1:0",
    `--nsqd-http-address=${nsqd}`,
    `--graphite-url=${url}`,
    `--notification-http-endpoint=${url}`
  ],
  standalone: () => [
    ...any,
    `--data-path=${directory}`,
    "--lookupd-tcp-address=127.0.0.1:0",
    "--lookupd-http-address=127.0.0.1:0",
    "--admin-http-address=127.0.0.1:0",
    `--http-allowed-host=${url}`
  ],
  nsq: () => ["standalone", ...(secrets["standalone"]?.("") ?? [])],
  // An address with a scheme would end it at once.
  nsq_stat: (nsqd) => ["--topic=t", `--channel=${url}`, `--nsqd-http-address=${nsqd}`],
  nsq_tail: () => ["--topic=t", `--lookupd-http-address=${url}`, "--consumer-opt=auth_secret,hunter2"],
  nsq_to_file: () => ["--topic=t", `--output-dir=${directory}`, `--lookupd-http-address=${url}`],
  nsq_to_http: (nsqd) => [
    "--topic=t",
    `--nsqd-tcp-address=${nsqd}`,
    "--post",
    url,
    "--header",
    "Authorization: Bearer hunter2"
  ],
  nsq_to_nsq: (nsqd) => [
    "--topic=t",
    `--lookupd-http-address=${url}`,
    `--destination-nsqd-tcp-address=${nsqd}`,
    "--producer-opt=auth_secret,hunter2"
  ],
  to_nsq: (nsqd) => ["--topic=t", `--nsqd-tcp-address=${nsqd}`, "--producer-opt", "auth_secret,hunter2"]
}

const start = (program: string, args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [join(programs, `${program}.ts`), ...args], {
    stdio: ["pipe", "ignore", "pipe"]
  })
  running.push(child)
  let printed = ""
  child.stderr.on("data", (chunk) => printed += chunk)
  /** Reads a file of the process, which must not have ended. */
  const read = (file: string): string => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${program} ended: ${printed}`)
    return readFileSync(`/proc/${child.pid}/${file}`, "utf8")
  }
  const commandLine = (): string => read("cmdline").replaceAll("\0", " ").trim()
  const name = (): string => read("comm").trim()
  return { commandLine, name, printed: () => printed }
}

describe.runIf(process.platform === "linux")("the list of processes", { timeout: 240_000 }, () => {
  it("the list of processes is tested for every program", () => {
    const all = readdirSync(programs).filter((name) =>
      ![
        "main.ts",
        "tool.ts",
        "arguments.ts",
        "collector.ts",
        "nodeVersion.ts",
        "programFlags.ts",
        "runData.ts",
        "runNsq.ts",
        "runStandalone.ts",
        "serviceManager.ts",
        "standardOutput.ts"
      ]
        .includes(name)
    )
    assert.deepStrictEqual(Object.keys(secrets).toSorted(), all.map((name) => name.replace(/\.ts$/, "")).toSorted())
  })

  for (const [program, given] of Object.entries(secrets)) {
    it(`the list of processes masks the secrets of ${program} and nothing else`, async () => {
      const args = given(`127.0.0.1:${(silent.address() as AddressInfo).port}`)
      const { commandLine, printed } = start(program, args)
      // While the program is being executed, the command line is empty.
      const isMasked = (line: string) => line !== "" && !line.includes("hunter2")
      while (!isMasked(commandLine())) await new Promise((resolve) => setTimeout(resolve, 10))
      const shown = args.map((arg) => arg.replaceAll(/(?:Bearer )?hunter2/g, "***")).join(" ")
      assert.isTrue(commandLine().endsWith(`${program}.ts ${shown}`), commandLine())
      assert.notInclude(printed(), "hunter2")
    })

    it(`the process of ${program} has its name, for pgrep and top`, async () => {
      const { name } = start(program, given(`127.0.0.1:${(silent.address() as AddressInfo).port}`))
      while (name() !== program) await new Promise((resolve) => setTimeout(resolve, 10))
    })
  }

  it("the list of processes shows a command line without secrets unchanged", async () => {
    const { commandLine } = start("nsqd", [...any, `--data-path=${directory}`, "--log-prefix=a b"])
    await once(running[0]?.stderr ?? silent, "data")
    assert.isTrue(commandLine().endsWith(`nsqd.ts ${any.join(" ")} --data-path=${directory} --log-prefix=a b`))
  })
})
