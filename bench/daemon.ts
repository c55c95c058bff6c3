/**
 * One daemon under measurement: started on free loopback ports with its own data directory, observed through /proc, and killed
 * at the end. Works for any program that takes nsqd's flags.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { sleep } from "./load/worker.ts"
import * as Processes from "./processes.ts"

/** A running daemon. */
export interface Daemon {
  readonly tcpPort: number
  readonly httpPort: number
  /** Milliseconds from spawn until the TCP port accepts. */
  readonly startMilliseconds: number
  /** Returns the resident memory of the daemon and its child processes. */
  readonly residentBytes: () => number
  /** Returns the bytes that the daemon has written to files and sockets since its start. */
  readonly writtenBytes: () => number
  /** Creates the topic with channels `c0`, `c1`, ... */
  readonly createChannels: (topic: string, channels: number) => Promise<void>
  /** Waits until the first channel of the topic has `count` messages. */
  readonly awaitDepth: (topic: string, count: number) => Promise<void>
}

const startSecondsMax = 60
const depthSecondsMax = 30

const listen = (): Promise<Net.Server> =>
  new Promise((resolve, reject) => {
    const server = Net.createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => resolve(server))
  })

const portOf = (server: Net.Server): number => {
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the TCP server has no port")
  return address.port
}

/** Returns two ports that were free a moment ago. */
const freePorts = async (): Promise<readonly [number, number]> => {
  const servers = [await listen(), await listen()] as const
  const ports = [portOf(servers[0]), portOf(servers[1])] as const
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = Net.connect({ host: "127.0.0.1", port })
    const end = (result: boolean) => () => {
      socket.destroy()
      resolve(result)
    }
    socket.once("connect", end(true))
    socket.once("error", end(false))
  })

const awaitAccept = async (port: number, child: ChildProcess.ChildProcess): Promise<void> => {
  const isAlive = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  while (isAlive() && !await accepts(port)) await sleep(1)
}

const descendants = (pid: number): Array<number> => {
  const children = Fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number)
  return [pid, ...children.flatMap(descendants)]
}

const residentBytes = (pid: number): number => {
  let total = 0
  for (const process of descendants(pid)) {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(Fs.readFileSync(`/proc/${process}/status`, "latin1"))
    total += Number(kibibytes?.[1] ?? 0) * 1024
  }
  return total
}

/** Not `write_bytes`, in which a write of one page may count as the two megabytes around it. */
const writtenBytes = (pid: number): number =>
  Number(/^wchar: (\d+)$/m.exec(Fs.readFileSync(`/proc/${pid}/io`, "latin1"))?.[1] ?? NaN)

/** Returns the last line of the log, which states why a daemon ended. */
const lastLine = (path: string): string => Fs.readFileSync(path, "utf8").trimEnd().split("\n").at(-1) ?? ""

interface ChannelStats {
  readonly depth: number
}

interface TopicStats {
  readonly depth: number
  readonly channels: ReadonlyArray<ChannelStats>
}

interface Stats {
  readonly topics: ReadonlyArray<TopicStats>
}

/** Sends a request. Returns the body of the response; fails unless its status is 200. */
export const request = async (
  port: number,
  method: string,
  path: string,
  body: Uint8Array<ArrayBuffer> | null = null
): Promise<string> => {
  const url = `http://127.0.0.1:${port}${path}`
  const response = await fetch(url, { method, body, signal: AbortSignal.timeout(60_000) }).catch((cause: Error) => {
    throw new Error(`${method} ${path}: ${cause.cause instanceof Error ? cause.cause.message : cause.message}`)
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${method} ${path} responded with ${response.status} ${text}`)
  return text
}

const start = async (
  command: ReadonlyArray<string>,
  flags: ReadonlyArray<string>,
  directory: string,
  hasTcp: boolean,
  env: NodeJS.ProcessEnv
) => {
  const [program, ...words] = command
  if (program === undefined) throw new Error("the command of the daemon is empty")
  const [freePort, httpPort] = await freePorts()
  const tcpPort = hasTcp ? freePort : httpPort
  const logPath = Path.join(directory, "log")
  const log = Fs.openSync(logPath, "w")
  const spawnedAt = performance.now()
  const child = Processes.own(ChildProcess.spawn(
    program,
    [
      ...words,
      ...(hasTcp ? [`--tcp-address=127.0.0.1:${tcpPort}`, "--broadcast-address=127.0.0.1"] : []),
      `--http-address=127.0.0.1:${httpPort}`,
      "--log-level=warn",
      ...flags
    ],
    {
      detached: true,
      stdio: ["ignore", log, log],
      // A daemon with `#!/usr/bin/env node` runs on the Node of the benchmark.
      env: { ...process.env, ...env, PATH: `${Path.dirname(process.execPath)}:${process.env.PATH ?? ""}` }
    }
  ))
  Fs.closeSync(log)
  const exited = new Promise<never>((_, reject) => {
    child.once("error", (cause) => reject(new Error(`cannot start the daemon: ${cause.message}`)))
    child.once(
      "exit",
      (code, signal) => reject(new Error(`the daemon ended (${signal ?? `code ${code}`}): ${lastLine(logPath)}`))
    )
  })
  exited.catch(() => {})
  const awaitStart = async (): Promise<number> => {
    await awaitAccept(tcpPort, child)
    const milliseconds = performance.now() - spawnedAt
    await awaitAccept(httpPort, child)
    return milliseconds
  }
  try {
    const started = Promise.race([awaitStart(), exited])
    const startMilliseconds = await Processes.within(startSecondsMax * 1000, "the daemon's start", started)
    return { child, exited, tcpPort, httpPort, startMilliseconds }
  } catch (cause) {
    Processes.kill(child)
    throw cause
  }
}

const awaitDepth = async (httpPort: number, topic: string, count: number): Promise<void> => {
  const until = performance.now() + depthSecondsMax * 1000
  let depth = 0
  while (performance.now() < until) {
    const stats = JSON.parse(await request(httpPort, "GET", `/stats?format=json&topic=${topic}`)) as Stats
    depth = stats.topics[0]?.channels[0]?.depth ?? 0
    if (depth >= count) return
    await sleep(50)
  }
  throw new Error(`the channel has ${depth} of ${count} messages after ${depthSecondsMax} s`)
}

/** Creates a directory for the time of `use`. */
export const withDirectory = async <A>(use: (directory: string) => Promise<A>): Promise<A> => {
  const directory = Processes.ownDirectory(Fs.mkdtempSync(Path.join(Os.tmpdir(), "nsq-bench-")))
  try {
    return await use(directory)
  } finally {
    Processes.removeDirectory(directory)
  }
}

const withProcessIn = async <A>(
  directory: string,
  command: ReadonlyArray<string>,
  flags: ReadonlyArray<string>,
  use: (daemon: Daemon) => Promise<A>,
  hasTcp = true,
  env: NodeJS.ProcessEnv = {}
): Promise<A> => {
  const { child, exited, httpPort, startMilliseconds, tcpPort } = await start(command, flags, directory, hasTcp, env)
  try {
    const daemon: Daemon = {
      tcpPort,
      httpPort,
      startMilliseconds,
      residentBytes: () => residentBytes(child.pid ?? 0),
      writtenBytes: () => writtenBytes(child.pid ?? 0),
      createChannels: async (topic, channels) => {
        await request(httpPort, "POST", `/topic/create?topic=${topic}`)
        for (let i = 0; i < channels; i++) {
          await request(httpPort, "POST", `/channel/create?topic=${topic}&channel=c${i}`)
        }
      },
      awaitDepth: (topic, count) => awaitDepth(httpPort, topic, count)
    }
    return await Promise.race([use(daemon), exited])
  } catch (cause) {
    // A dead daemon first appears as a lost connection; its last log line is more precise.
    await Promise.race([exited, sleep(100)])
    throw cause
  } finally {
    Processes.kill(child)
    await exited.catch(() => {})
  }
}

/** Starts a daemon on a directory that may have the files of an earlier one, and kills it after `use`. */
export const withDaemonIn = <A>(
  directory: string,
  command: ReadonlyArray<string>,
  flags: ReadonlyArray<string>,
  use: (daemon: Daemon) => Promise<A>
): Promise<A> => {
  const data = Path.join(directory, "data")
  Fs.mkdirSync(data, { recursive: true })
  return withProcessIn(directory, command, [`--data-path=${data}`, ...flags], use)
}

/**
 * Starts a daemon for the time of `use`, and kills it afterwards. Fails if the daemon ends by itself. `prepare` can add files
 * to its data directory before the start.
 */
export const withDaemon = <A>(
  command: ReadonlyArray<string>,
  flags: ReadonlyArray<string>,
  use: (daemon: Daemon) => Promise<A>,
  prepare: (directory: string) => void = () => {}
): Promise<A> =>
  withDirectory((directory) => {
    const data = Path.join(directory, "data")
    Fs.mkdirSync(data)
    prepare(data)
    return withDaemonIn(directory, command, flags, use)
  })

/** The same for the nsqadmin beside an nsqd; it has no TCP port. `env` has further variables of its environment. */
export const withAdmin = <A>(
  command: ReadonlyArray<string>,
  flags: ReadonlyArray<string>,
  use: (daemon: Daemon) => Promise<A>,
  env: NodeJS.ProcessEnv = {}
): Promise<A> =>
  withDirectory((directory) =>
    withProcessIn(directory, command.map((word) => word.replace(/nsqd$/, "nsqadmin")), flags, use, false, env)
  )

/** The same for the nsqlookupd beside an nsqd. */
export const withLookupd = <A>(
  command: ReadonlyArray<string>,
  use: (daemon: Daemon) => Promise<A>
): Promise<A> =>
  withDirectory((directory) =>
    withProcessIn(directory, command.map((word) => word.replace(/nsqd$/, "nsqlookupd")), [], use)
  )
