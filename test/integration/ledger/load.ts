/**
 * Producers during one life of the daemon. They record everything that they send and what was acknowledged in the ledger, until the
 * daemon is killed.
 */
import * as Http from "node:http"
import { bodyOf } from "./bodies.ts"
import type { Ledger } from "./Ledger.ts"
import type { Random } from "./random.ts"
import * as Wire from "./wire.ts"

/** Above 2 ** 31, the limit of a timer in Node. */
export const longestDelayMillis = 30 * 24 * 3_600_000

export interface Ports {
  readonly tcpPort: number
  readonly httpPort: number
}

export interface LoadOptions extends Ports {
  readonly ledger: Ledger
  readonly random: Random
  /** The daemon's --msg-timeout. */
  readonly messageTimeoutMillis: number
  /** Producers wait while the daemon has more than this many messages. */
  readonly openLimit: number
}

/** State that the producers and consumers of a life share. */
export interface Life {
  stopped: boolean
  readonly commits: Commits
  /** Publishes that the daemon refused without a fault. */
  refused: Array<string>
}

export const delay = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** How long commits take: the time from a PUB to its OK on a connection that does nothing else. */
export class Commits {
  /** When the PUB without a reply was sent, by topic. */
  private readonly waiting = new Map<number, number>()
  private recent: Array<{ readonly at: number; readonly took: number }> = []

  begin(topic: number): void {
    this.waiting.set(topic, performance.now())
  }

  end(topic: number): void {
    const at = performance.now()
    this.recent.push({ at, took: at - (this.waiting.get(topic) ?? at) })
    this.waiting.delete(topic)
  }

  /** The longest time of a commit in the last second, in milliseconds; 0 if there was none. */
  get slowest(): number {
    const now = performance.now()
    this.recent = this.recent.filter(({ at }) => now - at < 1000)
    return Math.max(
      0,
      ...this.recent.map(({ took }) => took),
      ...[...this.waiting.values()].map((since) => now - since)
    )
  }
}

const sizeOf = (random: Random): number => {
  const draw = random.next()
  return random.integer(20, draw < 0.9 ? 300 : draw < 0.99 ? 5000 : 60_000)
}

/** Delays of DPUB and REQ. Only a durable topic keeps those that outlast the run. */
export const delayOf = ({ ledger, random }: LoadOptions): number => {
  if (!ledger.durable) return random.integer(1, 3000)
  const draw = random.next()
  if (draw < 0.05) return random.integer(3_600_000, longestDelayMillis)
  return draw < 0.7 ? random.integer(100, 1000) : random.integer(1000, 5000)
}

// ---- producers

const pacedBy = async ({ ledger, openLimit }: LoadOptions, life: Life): Promise<void> => {
  while (!life.stopped && ledger.open > openLimit) await delay(2)
}

/** Publishes small messages one after the other, to measure commits. */
export const measureCommits = async (options: LoadOptions, topic: number, life: Life): Promise<void> => {
  const { ledger, tcpPort } = options
  const connection = await Wire.Requests.connect(tcpPort)
  for (let reply = "OK"; !life.stopped && reply === "OK";) {
    const row = ledger.publish(topic)
    life.commits.begin(topic)
    reply = await connection.ask(Wire.pub(ledger.topics[topic]?.name ?? "", bodyOf(row, 20)))
    if (reply === "OK") {
      ledger.acknowledge(row)
      life.commits.end(topic)
    } else if (!life.stopped) life.refused.push(reply)
    await delay(10)
  }
  connection.close()
}

/** PUB, DPUB and MPUB on one connection, partly pipelined. */
export const produceOverTcp = async (options: LoadOptions, topic: number, life: Life): Promise<void> => {
  const { ledger, random, tcpPort } = options
  const name = ledger.topics[topic]?.name ?? ""
  const sent: Array<ReadonlyArray<number>> = []
  let wake = (): void => {}
  const connection = await Wire.Wire.connect(tcpPort, {
    response: () => {
      for (const row of sent.shift() ?? []) ledger.acknowledge(row)
      wake()
    },
    error: (text) => {
      sent.shift()
      if (!life.stopped) life.refused.push(text)
      wake()
    },
    closed: () => wake()
  })
  const { socket } = connection
  const rowsOf = (count: number): Array<number> => Array.from({ length: count }, () => ledger.publish(topic))
  const deferredShare = ledger.durable ? 0.1 : 0.02
  while (!life.stopped && !socket.destroyed) {
    await pacedBy(options, life)
    const draw = random.next()
    if (draw < deferredShare) {
      const milliseconds = delayOf(options)
      const row = ledger.publish(topic, milliseconds)
      sent.push([row])
      connection.send(Wire.dpub(name, milliseconds, bodyOf(row, sizeOf(random))))
    } else if (draw < 0.6) {
      const rows = rowsOf(random.integer(1, 20))
      for (const row of rows) sent.push([row])
      connection.send(Buffer.concat(rows.map((row) => Wire.pub(name, bodyOf(row, sizeOf(random))))))
    } else {
      const rows = rowsOf(random.integer(1, 60))
      sent.push(rows)
      connection.send(Wire.mpub(name, rows.map((row) => bodyOf(row, sizeOf(random)))))
    }
    const window = random.integer(0, 40)
    while (!socket.destroyed && sent.length > window) await new Promise<void>((resolve) => void (wake = resolve))
    await delay(random.chance(0.3) ? random.between(0, 10) : 0)
  }
  connection.close()
}

/** `/pub`, with and without a delay, and `/mpub`. */
export const produceOverHttp = async (options: LoadOptions, topic: number, life: Life): Promise<void> => {
  const { httpPort, ledger, random } = options
  const name = ledger.topics[topic]?.name ?? ""
  const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
  while (!life.stopped) {
    await pacedBy(options, life)
    const single = random.chance(0.5)
    const milliseconds = single && ledger.durable && random.chance(0.1) ? delayOf(options) : 0
    const rows = Array.from({ length: single ? 1 : random.integer(2, 40) }, () => ledger.publish(topic, milliseconds))
    const bodies = rows.map((row) => bodyOf(row, sizeOf(random)))
    const [path, body] = single && bodies[0] !== undefined
      ? [`/pub?topic=${name}${milliseconds === 0 ? "" : `&defer=${milliseconds}`}`, bodies[0]]
      : [`/mpub?topic=${name}&binary=true`, Wire.mpubBody(bodies)]
    // A request that a kill interrupts was not acknowledged.
    const reply = await Wire.http(httpPort, path, body, agent).catch(() => undefined)
    if (reply === undefined) break
    if (reply.status === 200) { for (const row of rows) ledger.acknowledge(row) }
    else if (!life.stopped) life.refused.push(`${path}: ${reply.status} ${reply.body}`)
    await delay(random.between(0, 5))
  }
  agent.destroy()
}
