/** Loads and figures that several rows share. */
import type { Daemon } from "./daemon.ts"
import * as Load from "./load.ts"
import type { Figures } from "./load/worker.ts"
import type { Measure } from "./row.ts"

export const topic = "bench"
export const bodyBytes = 200
export const warmUpSeconds = 0.5
/** Time beyond the window after which a run has failed. */
export const graceSeconds = 20

/** Makes a preloaded channel last for most of the window within the memory of a usual machine. */
const preloadPerSecond = 800_000
/** Limit for the messages of a publisher ahead of its consumers. */
export const backlogMax = 100_000

export const memQueue = (size: number): ReadonlyArray<string> => [`--mem-queue-size=${size}`]

export const rate = (figures: Figures | undefined): number => {
  const value = figures?.rate ?? 0
  if (!(value > 0)) throw new Error("no message was counted")
  return value
}

export const rateOf = (name: string): ReadonlyArray<Measure> => [{ name, unit: "msg/s", better: "higher" }]

export interface Publishing {
  readonly batch: number
  readonly window: number
  readonly connections?: number
  readonly limit?: number
  readonly deferMilliseconds?: number
  readonly header?: string
}

/** MPUB of 200 messages. Two requests in flight, so that the daemon does not wait for the generator. */
export const byMpub: Publishing = { batch: 200, window: 2 }

export const publisher = (daemon: Daemon, seconds: number, publishing: Publishing): Load.Job => [
  "publisher",
  { port: daemon.tcpPort, topic, connections: 2, bodyBytes, warmUpSeconds, seconds, ...publishing }
]

/** Publishes `count` messages into a channel without consumers. */
export const preload = async (daemon: Daemon, count: number): Promise<void> => {
  await daemon.createChannels(topic, 1)
  await Load.run(graceSeconds + count / 50_000, publisher(daemon, 0, { ...byMpub, limit: count }))
  await daemon.awaitDepth(topic, count)
}

/** Consumes preloaded messages until they are exhausted or the window ends. */
export const consume = async (daemon: Daemon, seconds: number, limit: number): Promise<number> => {
  const config = { port: daemon.tcpPort, topic, channels: 1, connectionsPerChannel: 2, warmUpSeconds, seconds, limit }
  const [figures] = await Load.run(seconds + graceSeconds, ["subscriber", config])
  return rate(figures)
}

export const preloadOf = (seconds: number): number =>
  Math.ceil((preloadPerSecond * (warmUpSeconds + seconds)) / byMpub.batch) * byMpub.batch
