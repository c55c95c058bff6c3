/**
 * The duration of a start after a kill, compared with a start after SIGTERM with the same backlog.
 */
import * as Fs from "node:fs"
import { bodyOf } from "./bodies.ts"
import { Program, removeDirectory, temporaryDirectory } from "./program.ts"
import * as Wire from "./wire.ts"

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
