/**
 * The duration of a start after a kill, compared with a start after SIGTERM with the same backlog.
 */
import * as Fs from "node:fs"
import { bodyOf } from "./Ledger.ts"
import { Program, removeDirectory, temporaryDirectory } from "./program.ts"
import * as Wire from "./wire.ts"

const delay = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

interface ChannelStats {
  readonly depth: number
  readonly in_flight_count: number
  readonly deferred_count: number
}

interface TopicStats {
  readonly topic_name: string
  readonly depth: number
  readonly channels: ReadonlyArray<ChannelStats>
}

/** The topics of `/stats`. */
export const stats = async (httpPort: number): Promise<ReadonlyArray<TopicStats>> =>
  JSON.parse((await Wire.http(httpPort, "/stats?format=json")).body).topics

const waiting = (topics: ReadonlyArray<TopicStats>): number =>
  topics.reduce((sum, { channels, depth }) =>
    channels.reduce(
      (sum, channel) => sum + channel.depth + channel.in_flight_count + channel.deferred_count,
      sum + depth
    ), 0)

const stuckMillis = 20_000

/**
 * Waits until no topic and no channel has a message and nothing has changed for a moment, or nothing has changed for long,
 * according to the depths that the daemon reports.
 */
export const drained = async (httpPort: number, progress: () => number): Promise<void> => {
  let moved = performance.now()
  let last = progress()
  while (true) {
    await delay(100)
    const now = progress()
    if (now !== last) moved = performance.now()
    last = now
    const quiet = performance.now() - moved
    if (quiet > stuckMillis || (quiet > 600 && waiting(await stats(httpPort)) === 0)) return
  }
}

export interface StartTimes {
  readonly backlog: number
  /** Medians, in milliseconds, from spawn until both ports were logged. */
  readonly afterKill: number
  readonly afterStop: number
  readonly ratio: number
}

const rounds = 5

/** Publishes a backlog to a topic with two channels, kills the daemon and starts it on copies of its data. */
export const startTimes = async (
  command: ReadonlyArray<string>,
  flags: ReadonlyArray<string>,
  backlog: number,
  parent?: string
): Promise<StartTimes> => {
  const killed = temporaryDirectory(parent)
  const first = new Program({ command, dataPath: killed, flags })
  const { httpPort, tcpPort } = await first.listening
  for (const channel of ["a", "b"]) await Wire.http(httpPort, `/channel/create?topic=backlog&channel=${channel}`, "")
  const producer = await Wire.Requests.connect(tcpPort)
  for (let row = 0; row < backlog; row += 500) {
    const bodies = Array.from({ length: Math.min(500, backlog - row) }, (_, i) => bodyOf(row + i, 200))
    const reply = await producer.ask(Wire.mpub("backlog", bodies))
    if (reply !== "OK") throw new Error(`MPUB: ${reply}`)
  }
  await first.kill()
  const afterKill: Array<number> = []
  const afterStop: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    const dataPath = temporaryDirectory(parent)
    Fs.cpSync(killed, dataPath, { recursive: true })
    for (const times of [afterKill, afterStop]) {
      const program = new Program({ command, dataPath, flags })
      times.push((await program.listening).milliseconds)
      await program.stop()
    }
    removeDirectory(dataPath)
  }
  removeDirectory(killed)
  const median = (values: Array<number>): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0
  const [kill, stop] = [median(afterKill), median(afterStop)]
  return {
    backlog,
    afterKill: Math.round(kill),
    afterStop: Math.round(stop),
    ratio: Math.round(kill / stop * 100) / 100
  }
}
