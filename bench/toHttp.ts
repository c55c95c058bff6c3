/**
 * `node bench/toHttp.ts [--against PROGRAM]`: the rate of nsq_to_http with its default of 100 publishers, and its CPU time for each
 * message, alternately with another nsq_to_http. README.md has the conditions.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { type Daemon, request, withDaemon } from "./daemon.ts"
import { sleep } from "./load/worker.ts"
import { memQueue, preload, topic } from "./loads.ts"
import * as Processes from "./processes.ts"
import { machine } from "./table.ts"

const bin = Path.join(import.meta.dirname, "..", "dist", "bin")
const { values } = parseArgs({
  options: {
    bin: { type: "string", default: Path.join(bin, "nsq_to_http") },
    against: { type: "string" },
    nsqd: { type: "string", default: Path.join(bin, "nsqd") },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" }
  }
})
const seconds = Number(values.seconds)
const messages = 500_000
const startSeconds = 1.5
/** Linux counts the CPU time of processes in hundredths of a second. */
const microsPerTick = 10_000

const cpuMicros = (pid: number): number => {
  const fields = Fs.readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) * microsPerTick
}

/** The messages that its consumer has not finished. */
const unfinished = async ({ httpPort }: Daemon): Promise<number> => {
  const [channel] = JSON.parse(await request(httpPort, "GET", `/stats?format=json&topic=${topic}`)).topics[0].channels
  return channel.depth + channel.in_flight_count
}

/** Returns the messages per second of a program, and its CPU time for each in microseconds. */
const measure = (program: string): Promise<readonly [rate: number, cpu: number]> =>
  withDaemon([values.nsqd], memQueue(messages), (source) =>
    // Takes the requests, and drops their bodies when its memory is full.
    withDaemon([values.nsqd], memQueue(1000), async (sink) => {
      await preload(source, messages)
      const child = Processes.own(ChildProcess.spawn(program, [
        `--topic=${topic}`,
        "--channel=c0",
        "--max-in-flight=200",
        `--nsqd-tcp-address=127.0.0.1:${source.tcpPort}`,
        `--post=http://127.0.0.1:${sink.httpPort}/pub?topic=sink%23ephemeral`
      ], { detached: true, stdio: "ignore" }))
      await sleep(startSeconds * 1000)
      const [pid = 0, begin, before, cpu] = [
        child.pid,
        performance.now(),
        await unfinished(source),
        cpuMicros(child.pid ?? 0)
      ]
      await sleep(seconds * 1000)
      const count = before - await unfinished(source)
      const micros = cpuMicros(pid) - cpu
      const elapsed = performance.now() - begin
      Processes.kill(child)
      if (count <= 0 || count === before) throw new Error(`${program} has finished ${count} of ${before} messages`)
      return [count * 1000 / elapsed, micros / count]
    }))

console.log(`${machine()}; ${values.rounds} rounds of ${seconds} s\n`)
for (let round = 0; round < Number(values.rounds); round++) {
  for (const program of [values.bin, ...(values.against === undefined ? [] : [values.against])]) {
    const [rate, cpu] = await measure(program)
    console.log(`${Math.round(rate)} msg/s, ${cpu.toFixed(1)} us of CPU time for each message: ${program}`)
  }
}
