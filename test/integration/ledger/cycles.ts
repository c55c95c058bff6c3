/**
 * `kill -9` under load, repeatedly: starts the daemon, loads it, kills it at a random moment and restarts it on its data.
 * At the end all queues are drained, and the ledger reports lost and redelivered messages.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { consume, type Consumer, consumeRepeatedly } from "./consumers.ts"
import { DiskProbe } from "./DiskProbe.ts"
import { flagsOf, type Kind, topicsOf } from "./kinds.ts"
import { Ledger } from "./Ledger.ts"
import {
  Commits,
  delay,
  type Life,
  type LoadOptions,
  longestDelayMillis,
  measureCommits,
  produceOverHttp,
  produceOverTcp
} from "./load.ts"
import { Program, removeDirectory, temporaryDirectory } from "./program.ts"
import { createQueues, drained, type Left, missingQueues } from "./queues.ts"
import { Random } from "./random.ts"
import { startTimes } from "./starts.ts"
import type { Summary } from "./Summary.ts"

const messageTimeoutMillis = 1500

export interface CycleOptions {
  readonly command: ReadonlyArray<string>
  readonly cycles: number
  readonly seed: number
  readonly kind: Kind
  /** Parent of the data directory. Default: the system's temporary directory. */
  readonly parent?: string
  /** Messages of the backlog with which a start after a kill is compared to one after SIGTERM; 0 disables the comparison. */
  readonly backlog: number
  /** See `LedgerOptions`. */
  readonly noise?: number
  readonly progress?: (line: string) => void
}

/** Connects producers and consumers and runs them. Their promises end with the daemon. */
const load = (options: LoadOptions, life: Life): Array<Promise<unknown>> => {
  const { ledger, random } = options
  // A connection that fails because of the kill is ignored.
  const tolerate = <A>(promise: Promise<A>): Promise<A | undefined> => promise.catch(() => undefined)
  return ledger.topics.flatMap(({ channels }, topic) => [
    ...channels.flatMap((_, channel) =>
      Array.from({ length: random.integer(1, 2) }, () => tolerate(consumeRepeatedly(options, topic, channel, life)))
    ),
    tolerate(produceOverTcp(options, topic, life)),
    tolerate(produceOverTcp(options, topic, life)),
    tolerate(produceOverHttp(options, topic, life)),
    tolerate(measureCommits(options, topic, life))
  ])
}

/** Finishes all remaining messages of the run, until none are left or no progress is made, and returns what is left. */
const drain = async (options: LoadOptions): Promise<Left> => {
  const { ledger } = options
  const consumers: Array<Consumer> = []
  for (const [topic, { channels }] of ledger.topics.entries()) {
    for (const channel of channels.keys()) consumers.push(await consume(options, topic, channel, "finish"))
  }
  const left = await drained(options.httpPort, ledger)
  while (consumers.some((consumer) => consumer.held() > 0)) await delay(20)
  for (const consumer of consumers) consumer.close()
  return left
}

const median = (values: ReadonlyArray<number>): number =>
  Math.round([...values].sort((a, b) => a - b)[values.length >> 1] ?? 0)

const spread = (values: ReadonlyArray<number>) => ({ median: median(values), max: Math.round(Math.max(0, ...values)) })

export const runCycles = async (options: CycleOptions): Promise<Summary> => {
  const { command, cycles, kind, parent, progress, seed } = options
  const began = performance.now()
  const random = new Random(seed)
  const topics = topicsOf(kind)
  const ledger = new Ledger({
    topics,
    durable: kind.durability !== "memory",
    messageTimeoutMillis,
    noise: options.noise
  })
  const dataPath = temporaryDirectory(parent)
  const probe = new DiskProbe(dataPath, kind.durability === "synced")
  const flags = ["--mem-queue-size=0", `--msg-timeout=${messageTimeoutMillis}ms`, ...flagsOf(kind)]
  let clockAhead = 0
  let clocksSetBack = 0
  const start = (): Program => new Program({ command, dataPath, flags, clockAhead })
  const optionsOf = (ports: { readonly tcpPort: number; readonly httpPort: number }): LoadOptions => ({
    ...ports,
    ledger,
    random,
    messageTimeoutMillis,
    openLimit: random.integer(500, 6000)
  })
  const refused: Array<string> = []
  const missing = new Set<string>()
  const startMillis: Array<number> = []
  const commitMillisBeforeKills: Array<number> = []
  let killsDuringStart = 0

  const prepared = start()
  await createQueues((await prepared.listening).httpPort, topics)
  await prepared.kill()

  for (let cycle = 0; cycle < cycles; cycle++) {
    if (ledger.durable && random.chance(0.1)) {
      const milliseconds = random.integer(1, 2000)
      clocksSetBack++
      clockAhead -= milliseconds
      ledger.setBack(milliseconds)
    }
    const program = start()
    if (random.chance(0.15)) {
      await delay(random.between(0, 1.2 * (median(startMillis) || 300)))
      killsDuringStart++
      ledger.lives.end(0, probe.stalls)
      await program.kill()
      continue
    }
    const ports = await program.listening
    startMillis.push(ports.milliseconds)
    for (const name of await missingQueues(ports.httpPort, topics)) missing.add(name)
    const life: Life = { stopped: false, refused, commits: new Commits() }
    const running = load(optionsOf(ports), life)
    await delay(random.chance(0.2) ? random.between(0, 50) : random.between(100, 2500))
    life.stopped = true
    if (program.child.exitCode !== null) throw new Error(`nsqd ended by itself:\n${program.log}`)
    const commitMillis = life.commits.slowest
    commitMillisBeforeKills.push(commitMillis)
    ledger.lives.end(commitMillis, probe.stalls)
    await program.kill()
    await Promise.all(running)
    if ((cycle + 1) % 10 === 0) {
      const { acknowledgedCount, duplicateCount, open } = ledger
      progress?.(`cycle ${cycle + 1}: ${acknowledgedCount} acknowledged, ${open} open, ${duplicateCount} duplicates`)
    }
  }

  const last = start()
  await drain(optionsOf(await last.listening))
  const stranded = ledger.durable ? ledger.open : 0
  const exitCode = await last.stop()
  const { deliveryCount } = ledger
  const after = start()
  const { later, waiting } = await drain(optionsOf(await after.listening))
  await after.stop()
  const deliveriesAfterCleanStop = ledger.deliveryCount - deliveryCount
  if (ledger.durable) {
    clockAhead += 2 * longestDelayMillis
    ledger.setAhead(2 * longestDelayMillis)
    const ahead = start()
    await drain(optionsOf(await ahead.listening))
    await ahead.stop()
  }
  await probe.stop()
  const left = Fs.readdirSync(dataPath, { recursive: true, encoding: "utf8" })
  removeDirectory(dataPath)
  return {
    ...kind,
    seed,
    kills: cycles,
    killsDuringStart,
    clocksSetBack,
    seconds: Math.round((performance.now() - began) / 1000),
    ...ledger.report(),
    stranded,
    later,
    waiting,
    missingQueues: [...missing],
    refused: [...new Set(refused)].slice(0, 10),
    deliveriesAfterCleanStop,
    exitCode,
    filesLeft: left.length,
    temporaryFilesLeft: left.filter((name) => Path.extname(name) === ".tmp").length,
    startMillisUnderLoad: spread(startMillis),
    commitMillisBeforeKills: spread(commitMillisBeforeKills),
    killsInStalls: ledger.lives.endsInStalls,
    starts: options.backlog === 0 ? undefined : await startTimes(command, flags, options.backlog, parent)
  }
}
