/**
 * The daemon as a process: started from a file, observed through its log, killed with SIGKILL. No process and no directory
 * outlives the process that created it.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const running = new Set<ChildProcess.ChildProcess>()
const directories = new Set<string>()

const killGroup = (child: ChildProcess.ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    // The group may have ended between the check and the call.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}

process.once("exit", () => {
  for (const child of running) killGroup(child, "SIGKILL")
  for (const directory of directories) Fs.rmSync(directory, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130))

/** A directory that `removeDirectory` or the end of this process removes. */
export const temporaryDirectory = (parent: string = Os.tmpdir()): string => {
  const directory = Fs.mkdtempSync(Path.join(parent, "nsqd-ledger-"))
  directories.add(directory)
  return directory
}

export const removeDirectory = (directory: string): void => {
  directories.delete(directory)
  Fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}

export interface StartOptions {
  /** The program and its leading arguments. */
  readonly command: ReadonlyArray<string>
  readonly dataPath: string
  readonly flags: ReadonlyArray<string>
  /** Milliseconds by which the wall clock of a Node program is ahead. Default: 0. Other programs keep the clock of the machine. */
  readonly clockAhead?: number
}

/** Environment of a program whose wall clock is ahead. */
const environment = (clockAhead: number): NodeJS.ProcessEnv => {
  if (clockAhead === 0) return process.env
  const code = `const now = Date.now; Date.now = () => now() + ${clockAhead}`
  return { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` }
}

/** Maximum size of the log that is kept. */
const logLimit = 256 * 1024

/** A daemon that was spawned and may not listen yet. */
export class Program {
  readonly child: ChildProcess.ChildProcess
  readonly spawnedAt: number
  /** Milliseconds from spawn until both ports were logged. */
  readonly listening: Promise<{ readonly tcpPort: number; readonly httpPort: number; readonly milliseconds: number }>
  /** Resolves with the exit code; `null` if a signal ended the process. */
  readonly exited: Promise<number | null>
  log = ""

  constructor({ clockAhead = 0, command, dataPath, flags }: StartOptions) {
    const [file = "", ...leading] = command
    this.spawnedAt = performance.now()
    this.child = ChildProcess.spawn(
      file,
      [...leading, "--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${dataPath}`, ...flags],
      { stdio: ["ignore", "ignore", "pipe"], detached: true, env: environment(clockAhead) }
    )
    running.add(this.child)
    this.exited = new Promise((resolve, reject) => {
      this.child.once("error", reject)
      this.child.once("exit", (code) => {
        running.delete(this.child)
        resolve(code)
      })
    })
    this.listening = new Promise((resolve, reject) => {
      let tcpPort: number | undefined
      let httpPort: number | undefined
      this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        this.log = (this.log + text).slice(-logLimit)
        if (tcpPort !== undefined && httpPort !== undefined) return
        tcpPort = port(/TCP: listening on (?:127\.0\.0\.1|\[::\]):(\d+)\n/.exec(this.log))
        httpPort = port(/HTTP: listening on (?:127\.0\.0\.1|\[::\]):(\d+)\n/.exec(this.log))
        if (tcpPort === undefined || httpPort === undefined) return
        resolve({ tcpPort, httpPort, milliseconds: performance.now() - this.spawnedAt })
      })
      const failed = (): void => reject(new Error(`nsqd ended before it listened:\n${this.log}`))
      this.exited.then(failed, reject)
    })
    // A start that is killed intentionally is not awaited.
    this.listening.catch(() => {})
  }

  signal(signal: NodeJS.Signals): void {
    killGroup(this.child, signal)
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL")
    await this.exited
  }

  /** Sends SIGTERM and returns the exit code. */
  stop(): Promise<number | null> {
    this.signal("SIGTERM")
    return this.exited
  }
}

const port = (match: RegExpExecArray | null): number | undefined => match === null ? undefined : Number(match[1])
