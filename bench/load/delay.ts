/**
 * Preloaded into a daemon with `--import`: appends the time (Unix ms), the longest delay of the event loop and the longest CPU time of one
 * of its rounds (ms) in each tenth of a second to the file in `BENCH_DELAYS`. On a busy machine the delay includes the time of other
 * processes, which the CPU time does not.
 */
import { appendFileSync } from "node:fs"

const everyMillis = 100
/** Timers are due in each round of the event loop, so that the time between two of them is that of a round. */
const stepMillis = 2
const file = process.env["BENCH_DELAYS"]

const cpuMillis = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

if (file !== undefined) {
  let [wall, cpu] = [performance.now(), cpuMillis()]
  let [longestWall, longestCpu] = [0, 0]
  setInterval(() => {
    const [nowWall, nowCpu] = [performance.now(), cpuMillis()]
    longestWall = Math.max(longestWall, nowWall - wall - stepMillis)
    longestCpu = Math.max(longestCpu, nowCpu - cpu)
    ;[wall, cpu] = [nowWall, nowCpu]
  }, stepMillis).unref()
  setInterval(() => {
    appendFileSync(file, `${Date.now()} ${longestWall} ${longestCpu}\n`)
    longestWall = longestCpu = 0
  }, everyMillis).unref()
}
