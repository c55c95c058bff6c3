/**
 * The rows of the longest waits: how long another client waits at most while one operation keeps the daemon busy. A probe in
 * its own process sends a PUB and a `/ping` every millisecond; the operation runs in this process.
 */
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { type Daemon, request, withDaemon } from "./daemon.ts"
import * as Load from "./load.ts"
import { Connection } from "./load/connection.ts"
import { sleep } from "./load/worker.ts"
import * as Processes from "./processes.ts"
import type { Measure, Row } from "./row.ts"

const topic = "bench"

/** The size of a large installation. */
const topics = 10_000
const channelsPerTopic = 3

const deferredMessages = 500_000
const timedOutMessages = 300_000
const createdTopics = 1000
const comingConnections = 2000
const connectionsAtOnce = 50
/** Timeout for the load. */
const loadSecondsMax = 60
const mebibyte = 1024 * 1024

const measures: ReadonlyArray<Measure> = [
  { name: "longest wait for an OK", unit: "ms", better: "lower" },
  { name: "longest wait for /ping", unit: "ms", better: "lower" }
]

interface Stall {
  readonly name: string
  readonly what: string
  readonly flags?: ReadonlyArray<string>
  readonly prepare?: (directory: string) => void
  /** Prepares the load; returns the operation that is measured. */
  readonly load: (daemon: Daemon) => Promise<() => Promise<void>>
}

const stallRow = ({ flags = [], load, name, prepare, what }: Stall): Row => ({
  name: `stall-${name}`,
  group: "stalls",
  measures: measures.map((measure) => ({ ...measure, name: `${measure.name}: ${what}` })),
  run: (command) =>
    withDaemon(
      command,
      flags,
      async (daemon) => {
        // A daemon with many topics is busy for a while after its start.
        await sleep(prepare === undefined ? 500 : 3000)
        const run = await Processes.within(loadSecondsMax * 1000, "the preparation", load(daemon))
        const job: Load.Job = ["probe", { tcpPort: daemon.tcpPort, httpPort: daemon.httpPort }]
        const { http = NaN, tcp = NaN } = await Load.beside(job, async () => {
          await Processes.within(loadSecondsMax * 1000, "the load", run())
          // Includes work that is deferred until after the response.
          await sleep(200)
        })
        return [tcp, http]
      },
      prepare
    )
})

// ---- one connection

/** Opens a connection. `confirmed(count)` completes after `count` more OKs. */
const open = async (daemon: Daemon, options: { readonly upgrade?: "snappy" } = {}) => {
  let oks = 0
  let failed: ((cause: Error) => void) | undefined
  let check = (): void => {}
  const connection = new Connection({
    port: daemon.tcpPort,
    upgrade: options.upgrade,
    onOks: (count) => {
      oks += count
      check()
    },
    onFailure: (cause) => failed?.(cause)
  })
  await connection.open("stall")
  const confirmed = (count: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const until = oks + count
      failed = reject
      check = () => {
        if (oks >= until) resolve()
      }
    })
  return { connection, confirmed }
}

const sized = (command: string, ...bodies: ReadonlyArray<Uint8Array>): Buffer => {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(bodies.reduce((sum, body) => sum + body.length, 0))
  return Buffer.concat([Buffer.from(`${command}\n`), size, ...bodies])
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Returns an MPUB of `count` messages of one byte. */
const mpubOf = (count: number): Buffer => {
  const body = Buffer.alloc(5 * count, Buffer.from([0, 0, 0, 1, 120]))
  return sized(`MPUB ${topic}`, number(count), body)
}

const pub = sized(`PUB ${topic}`, Buffer.from("x"))

/** Sends prepared bytes, and waits for `count` OKs. */
const sends = (bytes: Buffer, count: number, upgrade?: "snappy"): Stall["load"] => async (daemon) => {
  const { confirmed, connection } = await open(daemon, upgrade === undefined ? {} : { upgrade })
  const prepared = connection.prepare(bytes)
  return async () => {
    const done = confirmed(count)
    connection.write(prepared)
    await done
    connection.close()
  }
}

const post = (daemon: Daemon, path: string, body?: Uint8Array<ArrayBuffer>): Promise<string> =>
  request(daemon.httpPort, "POST", path, body)

const lines = new Uint8Array(5 * mebibyte).fill(120).map((byte, i) => i % 2 === 0 ? byte : 10)
const longLines = new Uint8Array(5 * mebibyte).fill(120).map((byte, i) => i % 200 === 199 ? 10 : byte)

// ---- large installations

/** Writes NSQ's metadata file for 10,000 topics with 3 channels each. */
const manyTopics = (directory: string): void => {
  const channels = Array.from({ length: channelsPerTopic }, (_, i) => ({ name: `channel${i}`, paused: false }))
  const all = Array.from({ length: topics }, (_, i) => ({ name: `topic${i}`, paused: false, channels }))
  Fs.writeFileSync(Path.join(directory, "nsqd.dat"), JSON.stringify({ topics: all, version: "1.3.0" }))
}

const gets = (path: string): Stall["load"] => async (daemon) => async () => {
  for (let i = 0; i < 3; i++) await request(daemon.httpPort, "GET", path)
}

// ---- many events at one moment

const dpubs = async (daemon: Daemon): Promise<() => Promise<void>> => {
  await daemon.createChannels(topic, 1)
  const { confirmed, connection } = await open(daemon)
  const dueAt = performance.now() + 15_000
  const batch = 5000
  for (let sent = 0; sent < deferredMessages; sent += batch) {
    const one = sized(`DPUB ${topic} ${Math.max(1, Math.round(dueAt - performance.now()))}`, Buffer.from("x"))
    const done = confirmed(batch)
    connection.write(Buffer.concat(Array.from({ length: batch }, () => one)))
    await done
  }
  return async () => {
    await sleep(Math.max(0, dueAt - performance.now() - 500))
    await daemon.awaitDepth(topic, deferredMessages)
    connection.close()
  }
}

const timeouts = async (daemon: Daemon): Promise<() => Promise<void>> => {
  await daemon.createChannels(topic, 1)
  const publisher = await open(daemon)
  const batch = 10_000
  for (let sent = 0; sent < timedOutMessages; sent += batch) {
    const done = publisher.confirmed(1)
    publisher.connection.write(mpubOf(batch))
    await done
  }
  publisher.connection.close()
  await daemon.awaitDepth(topic, timedOutMessages)
  const consumer = await holdAll(daemon, timedOutMessages)
  return async () => {
    await daemon.awaitDepth(topic, timedOutMessages)
    consumer.close()
  }
}

/** Consumes `count` messages and finishes none; they time out after 5 s. */
const holdAll = async (daemon: Daemon, count: number) => {
  const socket = await connect(daemon.tcpPort)
  const identify = sized("IDENTIFY", Buffer.from(JSON.stringify({ msg_timeout: 5000, heartbeat_interval: 60_000 })))
  socket.write(Buffer.concat([Buffer.from("  V2"), identify, Buffer.from(`SUB ${topic} c0\nRDY ${count}\n`)]))
  // Two OKs, and messages of 1 byte in frames of 35 bytes.
  const bytes = 2 * 10 + count * 35
  let received = 0
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject)
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length
      if (received >= bytes) resolve()
    })
  })
  socket.write("RDY 0\n")
  return { close: () => socket.destroy() }
}

// ---- connections

const connect = (port: number): Promise<Net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = Net.connect({ host: "127.0.0.1", port, noDelay: true })
    socket.once("error", reject)
    socket.once("connect", () => resolve(socket))
  })

/** Runs an operation `count` times, at most `atOnce` concurrently. */
const severalAtOnce = async (count: number, atOnce: number, run: (index: number) => Promise<void>): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await run(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

const comeAndGo = async (daemon: Daemon): Promise<void> => {
  const { connection } = await open(daemon)
  await connection.subscribe(topic, "c0")
  connection.ready(1)
  connection.close()
}

export const stallRows: ReadonlyArray<Row> = [
  stallRow({ name: "none", what: "nothing else", load: async () => () => sleep(1000) }),
  stallRow({
    name: "snappy",
    what: "15 MB of NOPs, in snappy 0.7 MB",
    load: sends(Buffer.concat([Buffer.alloc(15_000_000, "NOP\n"), pub]), 1, "snappy")
  }),
  stallRow({ name: "mpub", what: "MPUB of a million messages", load: sends(mpubOf(1_000_000), 1) }),
  stallRow({
    name: "http-mpub",
    what: "an HTTP /mpub of 2.6 million lines",
    load: async (daemon) => async () => void await post(daemon, `/mpub?topic=${topic}`, lines)
  }),
  stallRow({
    name: "http-mpubs",
    what: "eight HTTP /mpub of 5 MiB at once",
    load: async (daemon) => async () => {
      await Promise.all(Array.from({ length: 8 }, () => post(daemon, `/mpub?topic=${topic}`, longLines)))
    }
  }),
  ...[
    ["stats-json", "/stats?format=json", "/stats as JSON"],
    ["stats-text", "/stats", "/stats as text"],
    ["metrics", "/metrics", "/metrics"]
  ].map(([name = "", path = "", what = ""]) =>
    stallRow({ name, what: `${what}, ${topics} topics x ${channelsPerTopic}`, prepare: manyTopics, load: gets(path) })
  ),
  stallRow({
    name: "persist",
    what: `nsqd.dat written, ${topics} topics x ${channelsPerTopic}`,
    prepare: manyTopics,
    load: async (daemon) => async () => {
      for (let i = 0; i < 5; i++) await post(daemon, `/topic/pause?topic=topic${i}`)
    }
  }),
  stallRow({
    name: "statsd",
    what: `a push to statsd, ${topics} topics x ${channelsPerTopic}`,
    // UDP needs no listener.
    flags: ["--statsd-address=127.0.0.1:9", "--statsd-interval=4s"],
    prepare: manyTopics,
    load: async () => () => sleep(8000)
  }),
  stallRow({
    name: "deferred",
    what: `${deferredMessages} deferred messages due together`,
    flags: [`--mem-queue-size=${2 * deferredMessages}`],
    load: dpubs
  }),
  stallRow({
    name: "timeouts",
    what: `${timedOutMessages} messages time out together`,
    flags: [`--mem-queue-size=${2 * timedOutMessages}`, `--max-rdy-count=${timedOutMessages}`],
    load: timeouts
  }),
  stallRow({
    name: "topics",
    what: `${createdTopics} topics created`,
    load: async (daemon) => () =>
      severalAtOnce(createdTopics, 16, async (i) => void await post(daemon, `/topic/create?topic=new${i}`))
  }),
  stallRow({
    name: "connections",
    what: `${comingConnections} connections come and go`,
    load: async (daemon) => () => severalAtOnce(comingConnections, connectionsAtOnce, () => comeAndGo(daemon))
  })
]
