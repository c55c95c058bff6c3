/**
 * Starts load generators (`load/*.ts`) as child processes, starts their measurement together, and collects their figures. Every
 * wait has a timeout; a generator that fails or ends early fails the run.
 */
import * as ChildProcess from "node:child_process"
import * as Path from "node:path"
import type { BareConfig } from "./load/bare.ts"
import type { BusyConfig } from "./load/busy.ts"
import type { ClientConfig } from "./load/client.ts"
import type { HttpConfig } from "./load/http.ts"
import type { IdleConfig } from "./load/idle.ts"
import type { LatencyConfig } from "./load/latency.ts"
import type { LookupConfig } from "./load/lookup.ts"
import type { ProbeConfig } from "./load/probe.ts"
import type { PublisherConfig } from "./load/publisher.ts"
import type { SubscriberConfig } from "./load/subscriber.ts"
import type { Figures, Order, Report } from "./load/worker.ts"
import * as Processes from "./processes.ts"

interface Configs {
  readonly bare: BareConfig
  readonly busy: BusyConfig
  readonly client: ClientConfig
  readonly http: HttpConfig
  readonly idle: IdleConfig
  readonly latency: LatencyConfig
  readonly lookup: LookupConfig
  readonly probe: ProbeConfig
  readonly publisher: PublisherConfig
  readonly subscriber: SubscriberConfig
}

/** A generator to run: its program and its configuration. */
export type Job = { readonly [Name in keyof Configs]: readonly [name: Name, config: Configs[Name]] }[keyof Configs]

interface Generator {
  readonly child: ChildProcess.ChildProcess
  readonly ready: Promise<void>
  readonly figures: Promise<Figures>
}

const readySecondsMax = 30

const spawn = ([name, config]: Job): Generator => {
  const file = Path.join(import.meta.dirname, "load", `${name}.ts`)
  const child = Processes.own(ChildProcess.fork(file, [JSON.stringify(config)], { detached: true }))
  let isReady = (): void => {}
  const ready = new Promise<void>((resolve) => (isReady = resolve))
  const figures = new Promise<Figures>((resolve, reject) => {
    child.on("message", (report: Report) => {
      if (report.type === "ready") isReady()
      else if (report.type === "figures") resolve(report.figures)
      else if (report.type === "error") reject(new Error(`${name}: ${report.message}`))
    })
    child.once("error", reject)
    child.once("exit", (code, signal) => reject(new Error(`the ${name} ended early (${signal ?? `code ${code}`})`)))
  })
  figures.catch(() => {})
  return { child, ready: Promise.race([ready, figures.then(() => {})]), figures }
}

/** Sends an order. A generator that has ended is detected by its exit, not here. */
const order = (child: ChildProcess.ChildProcess, order: Order): void => {
  if (child.connected) child.send(order, () => {})
}

/** Reports the progress of a subscriber to the other generators. */
const relayDelivered = (from: Generator, generators: ReadonlyArray<Generator>): void => {
  from.child.on("message", (report: Report) => {
    if (report.type !== "delivered") return
    for (const to of generators) if (to !== from) order(to.child, report)
  })
}

const awaitReady = (generators: ReadonlyArray<Generator>): Promise<unknown> =>
  Processes.within(readySecondsMax * 1000, "connecting", Promise.all(generators.map(({ ready }) => ready)))

/** Runs the jobs concurrently and returns the figures of each, in order. */
export const run = async (secondsMax: number, ...jobs: ReadonlyArray<Job>): Promise<ReadonlyArray<Figures>> => {
  const generators = jobs.map(spawn)
  try {
    await awaitReady(generators)
    generators.forEach((generator) => relayDelivered(generator, generators))
    for (const { child } of generators) order(child, { type: "start" })
    const figures = Promise.all(generators.map(({ figures }) => figures))
    return await Processes.within(secondsMax * 1000, "the run", figures)
  } finally {
    for (const { child } of generators) Processes.kill(child)
  }
}

/** Holds the connections of the job for the time of `use`, without starting its load. */
export const hold = async <A>(job: Job, use: () => Promise<A>): Promise<A> => {
  const generator = spawn(job)
  try {
    await awaitReady([generator])
    return await use()
  } finally {
    Processes.kill(generator.child)
  }
}

/** Runs the job for the time of `use`, and returns its figures. */
export const beside = async (job: Job, use: () => Promise<void>): Promise<Figures> => {
  const generator = spawn(job)
  try {
    await awaitReady([generator])
    order(generator.child, { type: "start" })
    await Promise.race([use(), generator.figures])
    order(generator.child, { type: "stop" })
    return await Processes.within(readySecondsMax * 1000, "the end of the measurement", generator.figures)
  } finally {
    Processes.kill(generator.child)
  }
}
