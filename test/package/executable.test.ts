/** The executable that is all programs, in a root directory with nothing but what it needs. Run `npm run build` before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, type Scope } from "effect"
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"
import { names } from "../../scripts/dist/application.ts"
import { withNote } from "../../scripts/dist/elf.ts"
import { executable } from "../../scripts/dist/executable.ts"
import { librariesOf } from "../../scripts/dist/ociImage.ts"
import * as Daemon from "../integration/daemon.ts"
import { isBuilt } from "./project.ts"

const run = promisify(execFile)

/** A script that runs a command in a root directory: its arguments are the directory and the command. */
const asRoot = `root=$1; shift; mount --rbind /dev "$root/dev"; PATH=/usr/bin exec /usr/sbin/chroot "$root" "$@"`

/** Whether this process may give programs a root directory and mounts of their own. */
const canIsolate = ((): boolean => {
  try {
    execFileSync("unshare", ["--mount", "sh", "-c", "mount --rbind /dev /dev && chroot / true"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})()

const canBuild = isBuilt && process.platform === "linux" && process.arch === "x64"

describe.skipIf(!canBuild)("the executable", () => {
  let root = ""
  let built: { readonly name: string; readonly data: Buffer } = { name: "", data: Buffer.alloc(0) }
  const inRoot = (path: string): string => join(root, path)
  /** The command that starts a program in the root directory. */
  const isolated = (program: string, ...args: ReadonlyArray<string>): [string, Array<string>] => [
    "unshare",
    ["--mount", "sh", "-ec", asRoot, "sh", root, `/usr/bin/${program}`, ...args]
  ]

  beforeAll(async () => {
    root = Fs.mkdtempSync(join(tmpdir(), "executable-"))
    built = await executable()
    for (const path of ["usr/bin", "dev", "data", "files", "tmp"]) Fs.mkdirSync(inRoot(path), { recursive: true })
    Fs.writeFileSync(inRoot("usr/bin/effect-nsq"), built.data, { mode: 0o755 })
    for (const name of names) Fs.symlinkSync("effect-nsq", inRoot(`usr/bin/${name}`))
    for (const path of ["/usr/bin/flock", ...librariesOf([inRoot("usr/bin/effect-nsq"), "/usr/bin/flock"])]) {
      Fs.mkdirSync(inRoot(dirname(path)), { recursive: true })
      Fs.copyFileSync(path, inRoot(path))
    }
  }, 480_000)
  afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

  it("two builds have the same bytes", async () => {
    assert.isTrue((await executable()).data.equals(built.data))
  }, 240_000)

  it(
    "it is the program that its link is named after, and under its own name the one that its first argument names",
    async () => {
      const versioned = names.filter((name) => name !== "to_nsq")
      await Promise.all(versioned.map(async (name) => {
        const { stdout } = await run(inRoot(`usr/bin/${name}`), ["--version"])
        assert.isTrue(stdout.startsWith(`${name} v`), stdout)
      }))
      const { stdout } = await run(inRoot("usr/bin/effect-nsq"), ["nsqlookupd", "--version"])
      assert.isTrue(stdout.startsWith("nsqlookupd v"), stdout)
    },
    240_000
  )

  /** Starts a program that runs until the Scope closes, and waits for its log to match. Returns the groups of the match. */
  const start = (
    program: string,
    logged: RegExp,
    ...args: ReadonlyArray<string>
  ): Effect.Effect<ReadonlyArray<string>, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.callback<{ readonly child: ChildProcess; readonly groups: ReadonlyArray<string> }>((resume) => {
        const child = spawn(...isolated(program, ...args), { stdio: ["ignore", "ignore", "pipe"] })
        let log = ""
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
          log += text
          const match = logged.exec(log)
          if (match !== null) resume(Effect.succeed({ child, groups: match.slice(1) }))
        }).on("end", () => resume(Effect.die(new Error(`${program} ended: ${log}`))))
      }),
      ({ child }) => Effect.andThen(Effect.sync(() => void child.kill("SIGTERM")), Daemon.exitOf(child))
    ).pipe(Effect.map(({ groups }) => groups))

  it.live.skipIf(!canIsolate)(
    "from an empty root, a message passes through every program",
    () =>
      Effect.gen(function*() {
        const [lookupdHttp = "", lookupdTcp = ""] = yield* start(
          "nsqlookupd",
          /HTTP: listening on (\S+)\n[^]*TCP: listening on (\S+)\n/,
          "--tcp-address=127.0.0.1:0",
          "--http-address=127.0.0.1:0"
        )
        const [command, args] = isolated("nsqd")
        const daemon = yield* Daemon.start("/data", [
          `--lookupd-tcp-address=${lookupdTcp}`,
          "--broadcast-address=127.0.0.1",
          "--e2e-processing-latency-percentile=0.5"
        ], { command: [command, ...args] })
        const tcp = `--nsqd-tcp-address=127.0.0.1:${daemon.tcpPort}`
        const http = `127.0.0.1:${daemon.httpPort}`
        const output = (program: string, ...args: ReadonlyArray<string>): Effect.Effect<string> =>
          Effect.promise(async () => (await run(...isolated(program, ...args))).stdout)

        yield* output("nsq", "pub", "first", "tea", tcp)
        yield* start(
          "nsq_to_nsq",
          /connected to nsqd/,
          "--topic=first",
          "--channel=copy",
          tcp,
          `--destination-nsqd-tcp-address=127.0.0.1:${daemon.tcpPort}`,
          "--destination-topic=second",
          "--consumer-opt=snappy,true"
        )
        yield* start(
          "nsq_to_http",
          /connected to nsqd/,
          "--topic=second",
          "--channel=copy",
          tcp,
          `--post=http://${http}/pub?topic=third`
        )
        assert.strictEqual(yield* output("nsq_tail", "--topic=third", "--channel=tail", "-n=1", tcp), "tea\n")
        const event = Effect.callback<string>((resume) => {
          const socket = new WebSocket(`ws://${http}/sub?topic=third&channel=socket`)
          socket.addEventListener("message", ({ data }) => {
            socket.close()
            resume(Effect.succeed(String(data)))
          })
          socket.addEventListener("error", () => resume(Effect.die(new Error("nsqd accepts no WebSocket"))))
        })
        assert.include(yield* event, "subscribed")

        const [toNsq, toNsqArgs] = isolated("to_nsq", "--topic=fourth", tcp)
        execFileSync(toNsq, toNsqArgs, { input: "cake\n", stdio: ["pipe", "ignore", "ignore"] })
        yield* Effect.scoped(Effect.gen(function*() {
          yield* start(
            "nsq_to_file",
            /connected to nsqd/,
            "--topic=fourth",
            "--channel=files",
            "--output-dir=/files",
            "--sync-interval=100ms",
            `--lookupd-http-address=${lookupdHttp}`
          )
          // Its only message is finished once it is in the file.
          yield* Effect.repeat(Daemon.topics(daemon), {
            until: (topics) =>
              topics.some(({ channels, topic_name }) =>
                topic_name === "fourth" && channels.some(({ depth, in_flight_count, message_count }) =>
                  message_count === 1 && depth + in_flight_count === 0
                )
              ),
            schedule: Schedule.spaced("20 millis")
          })
        }))
        const [file = ""] = Fs.readdirSync(inRoot("files"))
        assert.strictEqual(Fs.readFileSync(inRoot(join("files", file)), "utf8"), "cake\n")
        const [page = ""] = yield* start(
          "nsqadmin",
          /HTTP: listening on (127\.0\.0\.1:\d+)\n/,
          "--http-address=127.0.0.1:0",
          `--nsqd-http-address=${http}`
        )
        const html = yield* Effect.promise(async () => (await fetch(`http://${page}/`)).text())
        const [script = ""] = /static\/[^"]+\.js/.exec(html) ?? []
        assert.strictEqual(yield* Effect.promise(async () => (await fetch(`http://${page}/${script}`)).status), 200)
        assert.include(
          yield* output(
            "nsq_stat",
            "--topic=third",
            "--channel=tail",
            "--count=1",
            "--interval=100ms",
            `--nsqd-http-address=${http}`
          ),
          "total"
        )
        yield* daemon.signal("SIGTERM")
        assert.strictEqual(yield* daemon.exited, 0)
      }),
    240_000
  )
})

describe("a note in an executable", () => {
  it("a file that is not an executable for Linux is refused", () => {
    assert.throws(() => withNote(Buffer.from("#!/bin/sh\n".padEnd(64)), "NOTE", Buffer.alloc(1)), /not an executable/)
  })
})
