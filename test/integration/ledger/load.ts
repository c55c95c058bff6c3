/**
 * Producers and consumers during one life of the daemon. They record everything that they do and see in the ledger, until
 * the daemon is killed.
 */
import * as Http from "node:http"
import { bodyOf, type Cell, Kind, type Ledger } from "./Ledger.ts"
import type { Random } from "./random.ts"
import * as Wire from "./wire.ts"

/** An id that no message has: a FIN of it fails, which confirms that those before it were executed. */
const barrierId = "no-such-message."
const barrierMillis = 20

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
  /** Publishes that the daemon refused without a fault. */
  refused: Array<string>
}

const delay = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

const sizeOf = (random: Random): number => {
  const draw = random.next()
  return random.integer(20, draw < 0.9 ? 300 : draw < 0.99 ? 5000 : 60_000)
}

// ---- producers

const pacedBy = async ({ ledger, openLimit }: LoadOptions, life: Life): Promise<void> => {
  while (!life.stopped && ledger.open > openLimit) await delay(2)
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
  const rowsOf = (count: number): Array<number> =>
    Array.from({ length: count }, () => ledger.publish(topic, Kind.plain))
  while (!life.stopped && !socket.destroyed) {
    await pacedBy(options, life)
    const draw = random.next()
    if (draw < 0.02) {
      const row = ledger.publish(topic, Kind.deferred)
      sent.push([row])
      connection.send(Wire.dpub(name, random.integer(1, 1500), bodyOf(row, sizeOf(random))))
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

/** `/pub` and `/mpub`. */
export const produceOverHttp = async (options: LoadOptions, topic: number, life: Life): Promise<void> => {
  const { httpPort, ledger, random } = options
  const name = ledger.topics[topic]?.name ?? ""
  const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
  while (!life.stopped) {
    await pacedBy(options, life)
    const rows = Array.from(
      { length: random.chance(0.5) ? 1 : random.integer(2, 40) },
      () => ledger.publish(topic, Kind.plain)
    )
    const bodies = rows.map((row) => bodyOf(row, sizeOf(random)))
    const [path, body] = rows.length === 1 && bodies[0] !== undefined
      ? [`/pub?topic=${name}`, bodies[0]]
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

// ---- consumers

/** How a consumer handles messages. `finish` finishes each immediately, to drain the channel. */
export type Manner = "mixed" | "finish"

export interface Consumer {
  readonly close: () => void
  /** Messages that it has received and not finished. */
  readonly held: () => number
}

/**
 * Subscribes and handles messages: most are finished immediately, some later and out of order, some kept with TOUCH, some
 * requeued with or without a delay, some left to time out.
 */
export const consume = async (
  options: LoadOptions,
  topic: number,
  channel: number,
  manner: Manner
): Promise<Consumer> => {
  const { ledger, messageTimeoutMillis, random, tcpPort } = options
  const shape = ledger.topics[topic]
  const held = new Map<string, Cell>()
  const timers = new Set<NodeJS.Timeout>()
  /** FINs that are not confirmed, by id, in the order of sending between two barriers. */
  const finishing = new Map<string, Cell>()
  let batch: Array<string> = []
  const batches: Array<ReadonlyArray<string>> = []
  let out: Array<string> = []

  const flush = (): void => {
    if (out.length === 0) return
    connection.send(out.join(""))
    out = []
  }
  const write = (line: string): void => {
    if (out.push(line) === 1) queueMicrotask(flush)
  }
  const later = (milliseconds: number, run: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      run()
    }, milliseconds)
    timers.add(timer)
  }
  const finish = (id: string): void => {
    const cell = held.get(id)
    if (cell === undefined) return
    held.delete(id)
    finishing.set(id, cell)
    batch.push(id)
    write(`FIN ${id}\n`)
    ledger.finish(cell)
  }
  const barrier = (): void => {
    if (batch.length === 0) return
    batches.push(batch)
    batch = []
    write(`FIN ${barrierId}\n`)
  }
  const hold = (id: string, until: number): void => {
    if (!held.has(id)) return
    if (performance.now() >= until) return finish(id)
    write(`TOUCH ${id}\n`)
    later(messageTimeoutMillis / 3, () => hold(id, until))
  }

  const treat = (id: string, cell: Cell, attempts: number): void => {
    const draw = manner === "finish" ? 0 : random.next()
    if (draw < 0.86) return finish(id)
    if (draw < 0.94) return later(random.between(1, 200), () => finish(id))
    if (draw < 0.955) return hold(id, performance.now() + random.between(200, 20_000))
    if (draw < 0.985) {
      const milliseconds = draw < 0.965 ? 0 : random.integer(1, 3000)
      held.delete(id)
      if (milliseconds > 0) ledger.requeue(cell)
      return write(`REQ ${id} ${milliseconds}\n`)
    }
    // Left to time out, but not forever.
    if (attempts > 2) finish(id)
  }

  const connection = await Wire.Wire.connect(tcpPort, {
    message: ({ attempts, body, id }) => {
      const cell = ledger.deliver(topic, channel, id, body)
      if (cell === undefined) return
      held.set(id, cell)
      treat(id, cell, attempts)
    },
    error: (text) => {
      const id = /^E_(?:FIN|REQ|TOUCH)_FAILED (?:FIN|REQ|TOUCH) (\S{16}) /.exec(text)?.[1]
      if (id === barrierId) {
        for (const done of batches.shift() ?? []) {
          const cell = finishing.get(done)
          if (cell !== undefined) ledger.confirm(cell)
          finishing.delete(done)
        }
        return
      }
      if (id === undefined || !text.startsWith("E_FIN")) return
      const cell = finishing.get(id)
      if (cell !== undefined) ledger.refuse(cell)
      finishing.delete(id)
    }
  })
  const ready = manner === "finish" ? 500 : random.integer(1, 300)
  connection.send(`SUB ${shape?.name} ${shape?.channels[channel]}\nRDY ${ready}\n`)
  const barriers = setInterval(barrier, barrierMillis)
  connection.socket.once("close", () => {
    clearInterval(barriers)
    for (const timer of timers) clearTimeout(timer)
  })
  return {
    close: () => connection.close(),
    held: () => held.size + finishing.size
  }
}
