/**
 * The rows of durable topics. Each rate is measured beside a bare loop that writes and syncs the same bytes in the same
 * directory, before and after the daemon, because a disk's speed changes from minute to minute.
 *
 * A daemon without the flag `--durability` is measured with NSQ's disk queue, synced after every message.
 */
import * as ChildProcess from "node:child_process"
import { type Daemon, withDaemonIn, withDirectory } from "./daemon.ts"
import * as Load from "./load.ts"
import type { BareConfig } from "./load/bare.ts"
import { type Figures, sleep } from "./load/worker.ts"
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
  topic,
  warmUpSeconds
} from "./loads.ts"
import type { Measure, Row } from "./row.ts"

/** A message with its frame header, in a log. */
const messageBytes = bodyBytes + 34
const waitingMessages = 10_000_000
const deferredMessages = 5_000_000
const deferredFirst = 1_500_000
/** A slower daemon fails. Each connection waits for the commit of one DPUB after another, so that commits have hundreds. */
const deferredPerSecondLeast = 5000
const dayMilliseconds = 24 * 3600 * 1000
/** Time after which NSQ has saved the state of its disk queues. */
const syncSeconds = 2.5
const fanOutChannels = 8
const fanOutPerSecond = 200_000
/** More than three segments. */
const fanOutWarmUp = 1_000_000

const knowsDurability = new Map<string, boolean>()

const hasDurability = ([program = "", ...words]: ReadonlyArray<string>): boolean => {
  const key = [program, ...words].join(" ")
  const known = knowsDurability.get(key)
  if (known !== undefined) return known
  const { stderr, stdout } = ChildProcess.spawnSync(program, [...words, "--help"], { encoding: "utf8" })
  const found = `${stdout}${stderr}`.includes("-durability")
  knowsDurability.set(key, found)
  return found
}

type Durability = "memory" | "written" | "synced"

/** The flags for topics of this durability, or for what comes nearest in NSQ. */
const flagsOf = (command: ReadonlyArray<string>, durability: Durability): ReadonlyArray<string> => {
  if (hasDurability(command)) return [`--durability=${durability}`]
  return durability === "synced" ? [...memQueue(0), "--sync-every=1"] : memQueue(0)
}

type BareLoad = Omit<BareConfig, "directory" | "messageBytes" | "seconds" | "warmUpSeconds">

/** Runs the bare loop for half of the time before `use`, and for half of it afterwards. */
const besideBare = <A>(
  seconds: number,
  load: BareLoad,
  use: (directory: string) => Promise<A>
): Promise<readonly [result: A, bare: Figures]> =>
  withDirectory(async (directory) => {
    const config = { ...load, directory, messageBytes, warmUpSeconds: 0.2, seconds: seconds / 2 }
    const bare = async (): Promise<Figures> => (await Load.run(seconds + graceSeconds, ["bare", config]))[0] ?? {}
    const before = await bare()
    const result = await use(directory)
    const after = await bare()
    const mean = (name: string): number => ((before[name] ?? NaN) + (after[name] ?? NaN)) / 2
    return [result, { rate: mean("rate"), p50: mean("p50") }]
  })

const measuresBesideBare = (name: string): ReadonlyArray<Measure> => [
  { name, unit: "msg/s", better: "higher" },
  { name: "bare loop", unit: "msg/s", better: "higher" },
  { name: `${name} / bare loop`, unit: "x", better: "higher" }
]

const syncedPublishRow = (name: string, measure: string, connections: number, publishing: Publishing): Row => ({
  name,
  group: "durable",
  measures: measuresBesideBare(measure),
  run: async (command, seconds) => {
    const load = { writers: connections * publishing.window, batch: publishing.batch }
    const [measured, bare] = await besideBare(
      seconds,
      load,
      (directory) =>
        withDaemonIn(directory, command, flagsOf(command, "synced"), async (daemon) => {
          const job = publisher(daemon, seconds, { ...publishing, connections })
          const [figures] = await Load.run(seconds + graceSeconds, job)
          return rate(figures)
        })
    )
    return [measured, rate(bare), measured / rate(bare)]
  }
})

/** Returns delivered messages per second. */
const publishAndConsume = async (
  daemon: Daemon,
  seconds: number,
  channels: number,
  connectionsPerChannel: number
): Promise<number> => {
  await daemon.createChannels(topic, channels)
  const common = { port: daemon.tcpPort, topic, channels, warmUpSeconds, seconds }
  const [delivered] = await Load.run(
    seconds + graceSeconds,
    ["subscriber", { ...common, connectionsPerChannel, reports: true }],
    ["publisher", { ...common, connections: 2, bodyBytes, backlog: backlogMax, ...byMpub }]
  )
  return rate(delivered)
}

const syncedBothRow: Row = {
  name: "synced-both",
  group: "durable",
  measures: measuresBesideBare("synced, MPUB and SUB at once, delivered"),
  run: async (command, seconds) => {
    const load = { writers: 2 * byMpub.window, batch: byMpub.batch }
    const [measured, bare] = await besideBare(seconds, load, (directory) =>
      withDaemonIn(
        directory,
        command,
        flagsOf(command, "synced"),
        (daemon) => publishAndConsume(daemon, seconds, 1, 2)
      ))
    return [measured, rate(bare), measured / rate(bare)]
  }
}

const latencyPerSecond = 2000

const syncedLatencyRow: Row = {
  name: "synced-latency",
  group: "durable",
  measures: [
    { name: "synced, latency at 2,000 msg/s, p50", unit: "ms", better: "lower" },
    { name: "synced, latency at 2,000 msg/s, p99", unit: "ms", better: "lower" },
    { name: "bare loop, commit at 2,000 msg/s, p50", unit: "ms", better: "lower" }
  ],
  run: async (command, seconds) => {
    const load = { writers: 1, batch: 1, messagesPerSecond: latencyPerSecond }
    const [figures, bare] = await besideBare(
      seconds,
      load,
      (directory) =>
        withDaemonIn(directory, command, flagsOf(command, "synced"), async (daemon) => {
          await daemon.createChannels(topic, 1)
          const window = { bodyBytes, warmUpSeconds, seconds }
          const config = { port: daemon.tcpPort, topic, messagesPerSecond: latencyPerSecond, ...window }
          return (await Load.run(seconds + graceSeconds, ["latency", config]))[0]
        })
    )
    return [figures?.p50 ?? NaN, figures?.p99 ?? NaN, bare.p50 ?? NaN]
  }
}

/** The same load on `memory` topics, then on `written` ones. */
const writtenRow = (
  name: string,
  measure: string,
  measureRate: (daemon: Daemon, seconds: number) => Promise<number>
): Row => ({
  name,
  group: "durable",
  measures: [
    { name: measure, unit: "msg/s", better: "higher" },
    { name: `${measure} / memory`, unit: "x", better: "higher" }
  ],
  run: async (command, seconds) => {
    const measured = (flags: ReadonlyArray<string>): Promise<number> =>
      withDirectory((directory) => withDaemonIn(directory, command, flags, (daemon) => measureRate(daemon, seconds)))
    const memory = await measured(memQueue(20_000_000))
    const written = await measured(flagsOf(command, "written"))
    return [written, written / memory]
  }
})

/** Returns the bytes that reach files while `count` messages are published to 8 channels and consumed, and the seconds. */
const fanOut = async (
  daemon: Daemon,
  seconds: number,
  count: number
): Promise<readonly [bytes: number, seconds: number]> => {
  const before = daemon.writtenBytes()
  const common = { port: daemon.tcpPort, topic, channels: fanOutChannels, warmUpSeconds: 0, seconds: seconds * 10 }
  const [delivered] = await Load.run(
    seconds * 10 + graceSeconds,
    ["subscriber", { ...common, connectionsPerChannel: 1, reports: true, limit: count * fanOutChannels }],
    ["publisher", { ...common, connections: 2, bodyBytes, backlog: backlogMax, ...byMpub, limit: count }]
  )
  // The state of the channels follows the last FINs.
  await sleep(500)
  const sent = count * fanOutChannels * messageBytes
  return [daemon.writtenBytes() - before - sent, delivered?.seconds ?? NaN]
}

const fanOutRow = (durability: Durability): Row => ({
  name: `${durability}-fan-out`,
  group: "durable",
  measures: [
    { name: `${durability}, ${fanOutChannels} channels, written / published bytes`, unit: "x", better: "lower" },
    { name: `${durability}, ${fanOutChannels} channels, delivered`, unit: "msg/s", better: "higher" }
  ],
  run: (command, seconds) =>
    withDirectory((directory) =>
      withDaemonIn(directory, command, flagsOf(command, durability), async (daemon) => {
        const count = Math.ceil(fanOutPerSecond * seconds / byMpub.batch) * byMpub.batch
        await daemon.createChannels(topic, fanOutChannels)
        // Later segments use the files of earlier ones again.
        await fanOut(daemon, seconds, fanOutWarmUp)
        const [bytes, elapsed] = await fanOut(daemon, seconds, count)
        return [bytes / (count * messageBytes), count * fanOutChannels / elapsed]
      })
    )
})

const startRow: Row = {
  name: "durable-start",
  group: "durable",
  measures: [
    { name: "start after a kill with 10 million messages waiting", unit: "ms", better: "lower" },
    { name: "memory with 10 million messages waiting", unit: "bytes", better: "lower" },
    { name: "memory after the start", unit: "bytes", better: "lower" }
  ],
  run: (command) =>
    withDirectory(async (directory) => {
      const flags = flagsOf(command, "written")
      const waiting = await withDaemonIn(directory, command, flags, async (daemon) => {
        await preload(daemon, waitingMessages)
        await sleep(syncSeconds * 1000)
        return daemon.residentBytes()
      })
      return withDaemonIn(directory, command, flags, async (daemon) => {
        await daemon.awaitDepth(topic, waitingMessages)
        return [daemon.startMilliseconds, waiting, daemon.residentBytes()]
      })
    })
}

const latencyOf = async (daemon: Daemon, seconds: number): Promise<number> => {
  const window = { bodyBytes, warmUpSeconds, seconds }
  const config = { port: daemon.tcpPort, topic, messagesPerSecond: latencyPerSecond, ...window }
  return (await Load.run(seconds + graceSeconds, ["latency", config]))[0]?.p99 ?? NaN
}

const deferredRow: Row = {
  name: "durable-deferred",
  group: "durable",
  measures: [
    { name: "memory of the last 3.5 of 5 million messages deferred for tomorrow", unit: "bytes", better: "lower" },
    { name: "memory of all of them after a restart", unit: "bytes", better: "lower" },
    { name: "start after a kill with them", unit: "ms", better: "lower" },
    { name: "latency beside them, p99", unit: "ms", better: "lower" }
  ],
  run: (command, seconds) =>
    withDirectory(async (directory) => {
      const flags = [...flagsOf(command, "written"), "--max-req-timeout=48h"]
      const deferring = {
        batch: 1,
        window: 20,
        connections: 500,
        deferMilliseconds: dayMilliseconds
      }
      const [empty, loaded, full] = await withDaemonIn(directory, command, flags, async (daemon) => {
        await daemon.createChannels(topic, 1)
        await sleep(1500)
        const empty = daemon.residentBytes()
        const defer = async (limit: number): Promise<number> => {
          const seconds = graceSeconds + limit / deferredPerSecondLeast
          await Load.run(seconds, publisher(daemon, 0, { ...deferring, limit }))
          await sleep(syncSeconds * 1000)
          return daemon.residentBytes()
        }
        // The process keeps the memory of its connections under load, which grows during the first million messages.
        const loaded = await defer(deferredFirst)
        return [empty, loaded, await defer(deferredMessages - deferredFirst)]
      })
      return withDaemonIn(directory, command, flags, async (daemon) => {
        await sleep(1500)
        const restarted = daemon.residentBytes()
        const latency = await latencyOf(daemon, seconds)
        return [full - loaded, restarted - empty, daemon.startMilliseconds, latency]
      })
    })
}

export const durableRows: ReadonlyArray<Row> = [
  syncedPublishRow("synced-pub", "synced, PUB one at a time, 64 connections", 64, { batch: 1, window: 1 }),
  syncedPublishRow("synced-mpub", "synced, MPUB 200 x 200 bytes, 4 connections", 4, { batch: 200, window: 1 }),
  syncedBothRow,
  syncedLatencyRow,
  writtenRow("written-mpub", "written, MPUB 200 x 200 bytes", async (daemon, seconds) => {
    const [figures] = await Load.run(seconds + graceSeconds, publisher(daemon, seconds, byMpub))
    return rate(figures)
  }),
  writtenRow("written-sub", "written, SUB, RDY 2500, FIN each", async (daemon, seconds) => {
    const count = preloadOf(seconds)
    await preload(daemon, count)
    return consume(daemon, seconds, count)
  }),
  fanOutRow("written"),
  fanOutRow("synced"),
  startRow,
  deferredRow
]
