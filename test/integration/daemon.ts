/**
 * nsqd as a separate process, started from its sources, on free ports of the loopback interface. It ends with its Scope.
 */
import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Stats, type Topic } from "../../src/protocol/http/StatsResponse.ts"

/** The command that runs nsqd from its sources. */
export const nsqd: ReadonlyArray<string> = [
  process.execPath,
  resolve(import.meta.dirname, "../../src/programs/nsqd.ts")
]

/** The daemon exited, or did not start, while a test waited for it. */
export class DaemonEnded extends Schema.TaggedError<DaemonEnded>()("DaemonEnded", { log: Schema.String }) {
  override get message(): string {
    return `nsqd ended: ${this.log}`
  }
}

export interface Daemon {
  readonly tcpPort: number
  readonly httpPort: number
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** The exit code; `null` if a signal killed the process. The last lines of the log may arrive later. */
  readonly exited: Effect.Effect<number | null>
  /** Completes once a line of the log matches; fails if the log ends without it. */
  readonly logged: (pattern: RegExp) => Effect.Effect<string, DaemonEnded>
  /** The log so far. A line that a test expects may not have arrived yet: wait for it with `logged`. */
  readonly log: () => string
  /** Resident memory in bytes. */
  readonly residentBytes: Effect.Effect<number>
}

/** A temporary directory that is removed with the Scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "nsqd-integration-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** Completes with the exit code when a process has exited; at once if it has exited already. */
export const exitOf = (child: ChildProcess): Effect.Effect<number | null> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.succeed(child.exitCode))
    const exited = (code: number | null): void => resume(Effect.succeed(code))
    child.once("exit", exited)
    return Effect.sync(() => void child.off("exit", exited))
  })

/** Completes once no file name of the directory matches. */
export const removed = (directory: string, pattern: RegExp): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.promise(() => readdir(directory)),
    (names) =>
      names.some((name) => pattern.test(name)) ? Effect.delay(removed(directory, pattern), "20 millis") : Effect.void
  )

/** Settings of the daemon's process besides its flags. */
export interface Surroundings {
  /** Default: free ports. */
  readonly tcpPort?: number
  readonly httpPort?: number
  /** The command that runs nsqd. Default: its sources. */
  readonly command?: ReadonlyArray<string>
  /** Limit of file descriptors. Default: the limit of the test's own process. */
  readonly openFiles?: number
}

export const start = Effect.fnUntraced(function*(
  dataPath: string,
  flags: ReadonlyArray<string> = [],
  { command = nsqd, httpPort = 0, openFiles, tcpPort = 0 }: Surroundings = {}
): Effect.fn.Return<Daemon, DaemonEnded, Scope.Scope> {
  let log = ""
  const readers = new Set<() => void>()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const addresses = [`--tcp-address=127.0.0.1:${tcpPort}`, `--http-address=127.0.0.1:${httpPort}`]
      const limited = openFiles === undefined ? [] : ["sh", "-c", `ulimit -n ${openFiles}; exec "$@"`, "sh"]
      const [executable = "", ...rest] = [...limited, ...command, ...addresses, `--data-path=${dataPath}`, ...flags]
      const started = spawn(executable, rest, { stdio: ["ignore", "ignore", "pipe"] })
      started.stderr.setEncoding("utf8").on("data", (text: string) => {
        log += text
        for (const read of readers) read()
      })
      return started
    }),
    (process) => Effect.andThen(Effect.sync(() => void process.kill("SIGKILL")), exitOf(process))
  )
  const exited = exitOf(child)

  const logged = (pattern: RegExp): Effect.Effect<string, DaemonEnded> =>
    Effect.callback((resume) => {
      const stop = (): void => {
        readers.delete(read)
        child.stderr.off("end", read)
      }
      const read = (): void => {
        const match = pattern.exec(log)
        // A process may have exited before the last lines of its log are read.
        if (match === null && !child.stderr.readableEnded) return
        stop()
        resume(match === null ? Effect.fail(new DaemonEnded({ log })) : Effect.succeed(match[1] ?? match[0]))
      }
      readers.add(read)
      child.stderr.once("end", read)
      read()
      return Effect.sync(stop)
    })

  return {
    tcpPort: Number(yield* logged(/TCP: listening on 127\.0\.0\.1:(\d+)\n/)),
    httpPort: Number(yield* logged(/HTTP: listening on 127\.0\.0\.1:(\d+)\n/)),
    signal: (signal) => Effect.sync(() => void child.kill(signal)),
    exited,
    logged,
    log: () => log,
    residentBytes: Effect.map(
      Effect.promise(() => readFile(`/proc/${child.pid}/status`, "utf8")),
      (status) => Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
    )
  }
})

export interface Reply {
  readonly status: number
  readonly body: string
}

/** Sends a request to the daemon's HTTP API: a POST if there is a body, otherwise a GET. */
export const http = (daemon: Daemon, path: string, body?: string): Effect.Effect<Reply> =>
  Effect.promise(async () => {
    const request = body === undefined ? {} : { method: "POST", body }
    const response = await fetch(`http://127.0.0.1:${daemon.httpPort}${path}`, request)
    return { status: response.status, body: await response.text() }
  })

const decodeStats = Schema.decodeEffect(Schema.fromJsonString(Stats))

/** The topics of `/stats`. */
export const topics = (daemon: Daemon): Effect.Effect<ReadonlyArray<Topic>> =>
  http(daemon, "/stats?format=json").pipe(
    Effect.flatMap(({ body }) => decodeStats(body)),
    Effect.orDie,
    Effect.map((stats) => stats.topics ?? [])
  )
