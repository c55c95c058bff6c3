/**
 * `kill -9` under load, repeatedly: starts the daemon, loads it, kills it at a random moment and restarts it on its data.
 * At the end all queues are drained, and the ledger reports lost and redelivered messages.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Ledger, type Report, type TopicShape } from "./Ledger.ts"
import { consume, type Consumer, type Life, type LoadOptions, produceOverHttp, produceOverTcp } from "./load.ts"
import { Program, removeDirectory, temporaryDirectory } from "./program.ts"
import { Random } from "./random.ts"
import { drained, type StartTimes, startTimes } from "./starts.ts"
import * as Wire from "./wire.ts"

const messageTimeoutMillis = 1500

/** Flags of the daemon for each kind of run. */
export const variants = {
  "sync-1": ["--sync-every=1"],
  "sync-2500": ["--sync-every=2500"],
  "small-files": ["--sync-every=1", "--max-bytes-per-file=100000"],
  "small-files-2500": ["--sync-every=2500", "--max-bytes-per-file=100000"]
} as const
export type Variant = keyof typeof variants

export const isVariant = (name: string): name is Variant => Object.hasOwn(variants, name)

const topics: ReadonlyArray<TopicShape> = [
  { name: "one", channels: ["a"] },
  { name: "two", channels: ["a", "b"] },
  { name: "three", channels: ["a", "b", "c"] }
]

export interface CycleOptions {
  readonly command: ReadonlyArray<string>
  readonly cycles: number
  readonly seed: number
  readonly variant: Variant
  /** Parent of the data directory. Default: the system's temporary directory. */
  readonly parent?: string
  /** Messages of the backlog with which a start after a kill is compared to one after SIGTERM; 0 disables the comparison. */
  readonly backlog: number
  readonly progress?: (line: string) => void
}

export interface Summary extends Report {
  readonly variant: Variant
  readonly seed: number
  readonly kills: number
  readonly killsDuringStart: number
  readonly seconds: number
  /** Publishes that the daemon refused without a fault. */
  readonly refused: ReadonlyArray<string>
  /** Messages redelivered after SIGTERM and a start. */
  readonly deliveriesAfterCleanStop: number
  readonly exitCode: number | null
  /** Data files, metadata and other files left at the end. */
  readonly filesLeft: number
  readonly temporaryFilesLeft: number
  readonly startMillisUnderLoad: { readonly median: number; readonly max: number }
  readonly starts: StartTimes | undefined
}

const delay = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Connects producers and consumers and runs them. Their promises end with the daemon. */
const load = (options: LoadOptions, life: Life): Array<Promise<unknown>> => {
  const { ledger, random } = options
  // A connection that fails because of the kill is ignored.
  const tolerate = <A>(promise: Promise<A>): Promise<A | undefined> => promise.catch(() => undefined)
  return ledger.topics.flatMap(({ channels }, topic) => [
    ...channels.flatMap((_, channel) =>
      Array.from({ length: random.integer(1, 2) }, () => tolerate(consume(options, topic, channel, "mixed")))
    ),
    tolerate(produceOverTcp(options, topic, life)),
    tolerate(produceOverTcp(options, topic, life)),
    tolerate(produceOverHttp(options, topic, life))
  ])
}

const createQueues = async (httpPort: number): Promise<void> => {
  for (const { channels, name } of topics) {
    for (
      const path of [
        `/topic/create?topic=${name}`,
        ...channels.map((c) => `/channel/create?topic=${name}&channel=${c}`)
      ]
    ) {
      const reply = await Wire.http(httpPort, path, "")
      if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.body}`)
    }
  }
}

/** Finishes all remaining messages. Fails if no progress is made and some remain. */
const drain = async (options: LoadOptions): Promise<void> => {
  const { ledger } = options
  const consumers: Array<Consumer> = []
  for (const [topic, { channels }] of ledger.topics.entries()) {
    for (const channel of channels.keys()) consumers.push(await consume(options, topic, channel, "finish"))
  }
  await drained(options.httpPort, () => ledger.finishedCount)
  while (consumers.some((consumer) => consumer.held() > 0)) await delay(20)
  for (const consumer of consumers) consumer.close()
}

const median = (values: ReadonlyArray<number>): number =>
  Math.round([...values].sort((a, b) => a - b)[values.length >> 1] ?? 0)

export const runCycles = async (options: CycleOptions): Promise<Summary> => {
  const { command, cycles, parent, progress, seed, variant } = options
  const began = performance.now()
  const random = new Random(seed)
  const ledger = new Ledger(topics)
  const dataPath = temporaryDirectory(parent)
  const flags = ["--mem-queue-size=0", `--msg-timeout=${messageTimeoutMillis}ms`, ...variants[variant]]
  const start = (): Program => new Program({ command, dataPath, flags })
  const optionsOf = (ports: { readonly tcpPort: number; readonly httpPort: number }): LoadOptions => ({
    ...ports,
    ledger,
    random,
    messageTimeoutMillis,
    openLimit: random.integer(500, 6000)
  })
  const refused: Array<string> = []
  const startMillis: Array<number> = []
  let killsDuringStart = 0

  const prepared = start()
  await createQueues((await prepared.listening).httpPort)
  await prepared.stop()

  for (let cycle = 0; cycle < cycles; cycle++) {
    const program = start()
    if (random.chance(0.15)) {
      await delay(random.between(0, 1.2 * (median(startMillis) || 300)))
      killsDuringStart++
      ledger.endLife()
      await program.kill()
      continue
    }
    const ports = await program.listening
    startMillis.push(ports.milliseconds)
    const life: Life = { stopped: false, refused }
    const running = load(optionsOf(ports), life)
    await delay(random.chance(0.2) ? random.between(0, 50) : random.between(100, 2500))
    life.stopped = true
    if (program.child.exitCode !== null) throw new Error(`nsqd ended by itself:\n${program.log}`)
    ledger.endLife()
    await program.kill()
    await Promise.all(running)
    if ((cycle + 1) % 10 === 0) {
      const { acknowledged, duplicates } = ledger.report()
      progress?.(`cycle ${cycle + 1}: ${acknowledged} acknowledged, ${ledger.open} open, ${duplicates} duplicates`)
    }
  }

  const last = start()
  await drain(optionsOf(await last.listening))
  const exitCode = await last.stop()
  const before = ledger.report()
  const after = start()
  await drain(optionsOf(await after.listening))
  await after.stop()
  const report = ledger.report()
  const left = Fs.readdirSync(dataPath)
  removeDirectory(dataPath)
  return {
    variant,
    seed,
    kills: cycles,
    killsDuringStart,
    seconds: Math.round((performance.now() - began) / 1000),
    ...report,
    refused: [...new Set(refused)].slice(0, 10),
    deliveriesAfterCleanStop: report.deliveries - before.deliveries,
    exitCode,
    filesLeft: left.length,
    temporaryFilesLeft: left.filter((name) => Path.extname(name) === ".tmp").length,
    startMillisUnderLoad: { median: median(startMillis), max: Math.round(Math.max(0, ...startMillis)) },
    starts: options.backlog === 0 ? undefined : await startTimes(command, flags, options.backlog, parent)
  }
}
