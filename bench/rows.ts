/**
 * The rows of the benchmark: the daemon, the load and the figures of each. Every run of a row has a fresh daemon with an empty
 * data directory.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { generate } from "selfsigned"
import { adminRow } from "./admin.ts"
import { browseRow } from "./browse.ts"
import { type Daemon, withDaemon, withLookupd } from "./daemon.ts"
import { durableRows } from "./durable.ts"
import * as Load from "./load.ts"
import type { Upgrade } from "./load/upgrade.ts"
import { sleep } from "./load/worker.ts"
import {
  backlogMax,
  bodyBytes,
  byMpub,
  consume,
  graceSeconds,
  memQueue,
  preload,
  preloadOf,
  publisher,
  type Publishing,
  rate,
  rateOf,
  topic,
  warmUpSeconds
} from "./loads.ts"
import { withObservation } from "./observe.ts"
import { policyRows } from "./policies.ts"
import * as Processes from "./processes.ts"
import type { Row } from "./row.ts"
import { stallRows } from "./stalls.ts"

const memQueueSizeUsual = 1_000_000
/** More than NSQ's message ids allow for one topic, 3.9 million per second, so that memory rows never use the disk. */
const ratePerSecondMax = 4_000_000
const idleConnections = 2000
const queuedMessages = 500_000
const startsPerRun = 10
const lookupProducers = 1000
const lookupTopics = 10_000

const memQueueAmple = (seconds: number): ReadonlyArray<string> =>
  memQueue(Math.ceil(ratePerSecondMax * (warmUpSeconds + seconds)))

const publishRow = (
  name: string,
  measure: string,
  publishing: Publishing,
  memQueueOf: (seconds: number) => ReadonlyArray<string> = memQueueAmple
): Row => ({
  name,
  measures: rateOf(measure),
  run: (command, seconds) =>
    withDaemon(command, memQueueOf(seconds), async (daemon) => {
      const [figures] = await Load.run(seconds + graceSeconds, publisher(daemon, seconds, publishing))
      return [rate(figures)]
    })
})

/** Like `publishRow` for MPUB, with all observations. */
const observedPublishRow: Row = {
  name: "mpub-metrics",
  measures: rateOf("MPUB with /metrics, statsd and percentiles"),
  run: (command, seconds) =>
    withObservation(({ during, flags }) =>
      withDaemon(command, [...memQueueAmple(seconds), ...flags], async (daemon) => {
        await daemon.createChannels(topic, 0)
        const [figures] = await during(
          daemon,
          () => Load.run(seconds + graceSeconds, publisher(daemon, seconds, byMpub))
        )
        return [rate(figures)]
      })
    )
}

const subRow: Row = {
  name: "sub",
  measures: rateOf("SUB, RDY 2500, FIN each"),
  run: (command, seconds) => {
    const count = preloadOf(seconds)
    return withDaemon(command, memQueue(count), async (daemon) => {
      await preload(daemon, count)
      return [await consume(daemon, seconds, count)]
    })
  }
}

/** Like `subRow`, with all observations. */
const observedSubRow: Row = {
  name: "sub-metrics",
  measures: rateOf("SUB with /metrics, statsd and percentiles"),
  run: (command, seconds) => {
    const count = preloadOf(seconds)
    return withObservation(({ during, flags }) =>
      withDaemon(command, [...memQueue(count), ...flags], async (daemon) => {
        await preload(daemon, count)
        return [await during(daemon, () => consume(daemon, seconds, count))]
      })
    )
  }
}

/**
 * MPUB on two connections and consumers at once; the figure is the rate of delivered messages. The backlog is limited, because
 * otherwise the figure would depend on how the daemon divides its time between the two.
 */
const throughRow = (
  name: string,
  measure: string,
  channels: number,
  connectionsPerChannel: number,
  memQueueSize: number
): Row => ({
  name,
  measures: rateOf(measure),
  run: (command, seconds) =>
    withDaemon(command, memQueue(memQueueSize), async (daemon) => {
      await daemon.createChannels(topic, channels)
      const common = { port: daemon.tcpPort, topic, channels, warmUpSeconds, seconds }
      const [delivered] = await Load.run(
        seconds + graceSeconds,
        ["subscriber", { ...common, connectionsPerChannel, reports: true }],
        ["publisher", { ...common, connections: 2, bodyBytes, backlog: backlogMax, ...byMpub }]
      )
      return [rate(delivered)]
    })
})

/** Like `both`, with bodies that compress like JSON; returns delivered messages per second. */
const rateOfBoth = (command: ReadonlyArray<string>, flags: ReadonlyArray<string>, seconds: number, upgrade?: Upgrade) =>
  withDaemon(command, [...memQueue(memQueueSizeUsual), ...flags], async (daemon) => {
    await daemon.createChannels(topic, 1)
    const common = { port: daemon.tcpPort, topic, channels: 1, warmUpSeconds, seconds, ...upgrade && { upgrade } }
    const publishing = { connections: 2, bodyBytes, text: true, backlog: backlogMax, ...byMpub }
    const [delivered] = await Load.run(
      seconds + graceSeconds,
      ["subscriber", { ...common, connectionsPerChannel: 2, reports: true }],
      ["publisher", { ...common, ...publishing }]
    )
    return rate(delivered)
  })

const certificate = async (directory: string): Promise<ReadonlyArray<string>> => {
  const [cert, key] = [Path.join(directory, "cert.pem"), Path.join(directory, "key.pem")]
  const name = [{ name: "commonName", value: "localhost" }]
  const made = await generate(name, { keyType: "ec", algorithm: "sha256" })
  Fs.writeFileSync(cert, made.cert)
  Fs.writeFileSync(key, made.private)
  return [`--tls-cert=${cert}`, `--tls-key=${key}`, "--https-address="]
}

/** The same load without and with the upgrade, in sequence: the cost of the upgrade. */
const upgradeRow = (upgrade: Upgrade, name: string): Row => ({
  name: upgrade,
  group: "upgrades",
  measures: [
    { name: `MPUB and SUB at once with ${name}, delivered`, unit: "msg/s", better: "higher" },
    { name: `${name} / plain`, unit: "x", better: "higher" }
  ],
  run: async (command, seconds) => {
    const directory = Processes.ownDirectory(Fs.mkdtempSync(Path.join(Os.tmpdir(), "nsq-bench-tls-")))
    try {
      const flags = upgrade === "tls" ? await certificate(directory) : []
      const plain = await rateOfBoth(command, flags, seconds)
      const upgraded = await rateOfBoth(command, flags, seconds, upgrade)
      return [upgraded, upgraded / plain]
    } finally {
      Processes.removeDirectory(directory)
    }
  }
})

/** The load of a client library. */
interface ClientLoad {
  readonly role: "publish" | "consume"
  /** Publishes in flight. */
  readonly inFlight: number
  /** Messages per publish. */
  readonly batch: number
}

/**
 * The same daemon used through this project's client library and through nsqjs, in sequence. The ratio of the CPU times does not
 * depend on what else the machine does.
 */
const clientRow = (
  name: string,
  measure: string,
  load: ClientLoad,
  ours: "effect-nsq/client" | "effect-nsq/promise"
): Row => ({
  name,
  group: "client",
  measures: [
    { name: `${measure}, ${ours}`, unit: "msg/s", better: "higher" },
    { name: `rate, ${ours} / nsqjs`, unit: "x", better: "higher" },
    { name: `CPU time per message, nsqjs / ${ours}`, unit: "x", better: "higher" },
    { name: `memory of the process, ${ours} / nsqjs`, unit: "x", better: "lower" }
  ],
  run: async (command, seconds) => {
    const { role } = load
    const figuresOf = (library: typeof ours | "nsqjs") => {
      const count = role === "consume" ? preloadOf(seconds) : 0
      return withDaemon(command, role === "consume" ? memQueue(count) : memQueueAmple(seconds), async (daemon) => {
        if (role === "consume") await preload(daemon, count)
        const config = { library, port: daemon.tcpPort, topic, bodyBytes, warmUpSeconds, seconds, ...load }
        const [figures] = await Load.run(seconds + graceSeconds, ["client", config])
        return { rate: rate(figures), cpuMicros: figures?.["cpuMicros"] ?? NaN, memory: figures?.["memory"] ?? NaN }
      })
    }
    const other = await figuresOf("nsqjs")
    const own = await figuresOf(ours)
    return [own.rate, own.rate / other.rate, other.cpuMicros / own.cpuMicros, own.memory / other.memory]
  }
})

/** The rows of one of this project's client libraries. */
const clientRows = (prefix: string, ours: "effect-nsq/client" | "effect-nsq/promise"): ReadonlyArray<Row> => [
  clientRow(`${prefix}-pub`, "PUB, 100 in flight", { role: "publish", inFlight: 100, batch: 1 }, ours),
  clientRow(`${prefix}-pub-one`, "PUB, one at a time", { role: "publish", inFlight: 1, batch: 1 }, ours),
  clientRow(
    `${prefix}-mpub`,
    "MPUB of 100 messages, 10 in flight",
    { role: "publish", inFlight: 10, batch: 100 },
    ours
  ),
  clientRow(`${prefix}-consume`, "messages handled and finished", { role: "consume", inFlight: 0, batch: 1 }, ours)
]

const httpRow = (name: string, measure: string, path: string, connections: number, lines: number): Row => ({
  name,
  measures: rateOf(measure),
  run: (command, seconds) =>
    withDaemon(command, memQueueAmple(seconds), async (daemon) => {
      const config = { port: daemon.httpPort, path: `${path}?topic=${topic}`, connections, lines, bodyBytes }
      const [figures] = await Load.run(seconds + graceSeconds, ["http", { ...config, warmUpSeconds, seconds }])
      return [rate(figures)]
    })
})

const latencyRow = (name: string, messagesPerSecond: number): Row => ({
  name,
  group: "latency",
  measures: ["p50", "p99", "p99.9"].map((percentile) => ({
    name: `latency at ${messagesPerSecond.toLocaleString("en-US")} msg/s, ${percentile}`,
    unit: "ms",
    better: "lower"
  })),
  run: (command, seconds) =>
    withDaemon(command, memQueue(memQueueSizeUsual), async (daemon) => {
      await daemon.createChannels(topic, 1)
      const config = { port: daemon.tcpPort, topic, messagesPerSecond, bodyBytes, warmUpSeconds, seconds }
      const [figures] = await Load.run(seconds + graceSeconds, ["latency", config])
      return [figures?.p50 ?? NaN, figures?.p99 ?? NaN, figures?.p999 ?? NaN]
    })
})

/** Returns the resident memory after a pause, when the daemon is idle. */
const residentAtRest = async (daemon: Daemon): Promise<number> => {
  await sleep(1500)
  return daemon.residentBytes()
}

const memoryConnectionRow: Row = {
  name: "memory-connection",
  group: "memory",
  measures: [{ name: "memory per idle connection", unit: "bytes", better: "lower" }],
  run: (command) =>
    withDaemon(command, memQueue(memQueueSizeUsual), async (daemon) => {
      const job = (connections: number): Load.Job => ["idle", { port: daemon.tcpPort, topic, connections }]
      // The first connections load code and caches that later ones share.
      await Load.hold(job(50), () => sleep(200))
      const before = await residentAtRest(daemon)
      const after = await Load.hold(job(idleConnections), () => residentAtRest(daemon))
      return [(after - before) / idleConnections]
    })
}

const memoryMessageRow: Row = {
  name: "memory-message",
  group: "memory",
  measures: [{ name: "memory per queued message of 200 bytes", unit: "bytes", better: "lower" }],
  run: (command) =>
    withDaemon(command, memQueue(memQueueSizeUsual), async (daemon) => {
      const first = 10_000
      await preload(daemon, first)
      const before = await residentAtRest(daemon)
      await Load.run(graceSeconds + 10, publisher(daemon, 0, { ...byMpub, limit: queuedMessages }))
      await daemon.awaitDepth(topic, first + queuedMessages)
      return [(await residentAtRest(daemon) - before) / queuedMessages]
    })
}

const lookupRow: Row = {
  name: "lookup",
  measures: [
    { name: `registrations, ${lookupProducers} producers and ${lookupTopics} topics`, unit: "reg/s", better: "higher" },
    { name: "/lookup among them, 4 connections, p99", unit: "ms", better: "lower" },
    { name: "memory of nsqlookupd, at most", unit: "bytes", better: "lower" }
  ],
  run: (command, seconds) =>
    withLookupd(command, async (daemon) => {
      let most = 0
      const watch = setInterval(() => (most = Math.max(most, daemon.residentBytes())), 50)
      const config = {
        tcpPort: daemon.tcpPort,
        httpPort: daemon.httpPort,
        producers: lookupProducers,
        topics: lookupTopics,
        topicsPerProducer: 100,
        lookupConnections: 4,
        warmUpSeconds,
        seconds
      }
      try {
        const [figures] = await Load.run(seconds + graceSeconds, ["lookup", config])
        return [rate(figures), figures?.p99 ?? NaN, most]
      } finally {
        clearInterval(watch)
      }
    })
}

const startRow: Row = {
  name: "start",
  measures: [
    { name: `start until the port accepts, median of ${startsPerRun}`, unit: "ms", better: "lower" },
    { name: "memory after start", unit: "bytes", better: "lower" }
  ],
  run: async (command) => {
    const starts: Array<readonly [number, number]> = []
    for (let i = 0; i < startsPerRun; i++) {
      starts.push(
        await withDaemon(command, [], async (daemon) => {
          await sleep(200)
          return [daemon.startMilliseconds, daemon.residentBytes()]
        })
      )
    }
    return [median(starts.map(([milliseconds]) => milliseconds)), median(starts.map(([, bytes]) => bytes))]
  }
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

export const rows: ReadonlyArray<Row> = [
  publishRow("mpub", "MPUB 200 x 200 bytes", byMpub),
  observedPublishRow,
  publishRow("pub", "PUB one at a time, 2 connections", { batch: 1, window: 1 }),
  publishRow("pub-pipelined", "PUB pipelined, 2 connections", { batch: 1, window: 500 }),
  subRow,
  observedSubRow,
  throughRow("both", "MPUB and SUB at once, delivered", 1, 2, memQueueSizeUsual),
  throughRow("fan-out", "MPUB and fan-out to 8 channels, delivered", 8, 1, memQueueSizeUsual),
  throughRow("disk", "MPUB and SUB through the disk queue, delivered", 1, 2, 0),
  publishRow("disk-mpub", "MPUB to the disk queue, 200 x 200 bytes", byMpub, () => memQueue(0)),
  upgradeRow("tls", "TLS"),
  upgradeRow("deflate", "deflate"),
  upgradeRow("snappy", "snappy"),
  httpRow("http-pub", "HTTP /pub, 16 connections", "/pub", 16, 1),
  httpRow("http-mpub", "HTTP /mpub 200 x 200 bytes, 2 connections", "/mpub", 2, 200),
  latencyRow("latency-2k", 2000),
  latencyRow("latency-20k", 20_000),
  memoryConnectionRow,
  memoryMessageRow,
  startRow,
  ...clientRows("client", "effect-nsq/client"),
  ...clientRows("promise", "effect-nsq/promise"),
  lookupRow,
  adminRow,
  ...durableRows,
  browseRow,
  ...policyRows,
  ...stallRows
]
