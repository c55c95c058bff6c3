/**
 * Consumers during one life of the daemon. They record everything that they do and see in the ledger.
 */
import type { Requeue } from "./Deferrals.ts"
import type { Delivered } from "./Ledger.ts"
import { delay, delayOf, type Life, type LoadOptions } from "./load.ts"
import * as Wire from "./wire.ts"

/** An id that no message has: a FIN of it fails, which confirms that the commands before it were executed. */
const barrierId = "no-such-message."
const barrierMillis = 20

/** How a consumer handles messages. `finish` finishes each immediately, to drain the channel. */
export type Manner = "mixed" | "finish"

export interface Consumer {
  readonly close: () => void
  readonly closed: Promise<void>
  /** Messages that it has received and not finished. */
  readonly held: () => number
  /** Tells the daemon to send no further message. */
  readonly finishing: () => void
}

/** A FIN or a REQ with a delay whose result is unknown. */
interface Sent {
  readonly command: string
  readonly message: Delivered
  readonly requeue: Requeue | undefined
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
  const place = { topic, channel, life: ledger.lives.current }
  const held = new Map<string, Delivered>()
  const timers = new Set<NodeJS.Timeout>()
  /** What was sent since the last barrier, and what before each barrier that has no reply. */
  let batch: Array<Sent> = []
  const batches: Array<ReadonlyArray<Sent>> = []
  /** How often each command was refused since the reply to the last barrier. */
  const refused = new Map<string, number>()
  let unconfirmed = 0
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
  const sent = (command: string, message: Delivered, requeue?: Requeue): void => {
    batch.push({ command, message, requeue })
    unconfirmed++
  }
  const finish = (id: string): void => {
    const message = held.get(id)
    if (message === undefined) return
    held.delete(id)
    ledger.finish(message)
    sent(`FIN ${id}`, message)
    write(`FIN ${id}\n`)
  }
  const requeue = (id: string, milliseconds: number): void => {
    const message = held.get(id)
    if (message === undefined) return
    held.delete(id)
    if (milliseconds > 0) sent(`REQ ${id}`, message, ledger.requeue(message, milliseconds))
    write(`REQ ${id} ${milliseconds}\n`)
  }
  const barrier = (): void => {
    if (batch.length === 0) return
    batches.push(batch)
    batch = []
    write(`FIN ${barrierId}\n`)
  }
  /** Records the results of a batch. A command that was sent several times for one message may fail for some of them. */
  const settle = (sentBefore: ReadonlyArray<Sent>): void => {
    const counts = new Map<string, number>()
    for (const { command } of sentBefore) counts.set(command, (counts.get(command) ?? 0) + 1)
    for (const { command, message, requeue } of sentBefore) {
      const failures = refused.get(command) ?? 0
      if (requeue !== undefined) {
        if (failures === 0) ledger.confirmRequeue(requeue)
        else ledger.refuseRequeue(message, requeue)
      } else if (failures < (counts.get(command) ?? 0)) ledger.confirm(message)
      else ledger.refuse(message)
    }
    unconfirmed -= sentBefore.length
    refused.clear()
  }
  const hold = (id: string, until: number): void => {
    if (!held.has(id)) return
    if (performance.now() >= until) return finish(id)
    write(`TOUCH ${id}\n`)
    later(messageTimeoutMillis / 3, () => hold(id, until))
  }

  const treat = (id: string, { attempts }: Delivered): void => {
    const draw = manner === "finish" ? 0 : random.next()
    if (draw < 0.86) return finish(id)
    if (draw < 0.94) return later(random.between(1, 200), () => finish(id))
    if (draw < 0.955) return hold(id, performance.now() + random.between(200, 20_000))
    if (draw < 0.965) return requeue(id, 0)
    if (draw < 0.985) return requeue(id, delayOf(options))
    // Left to time out, but not forever.
    if (attempts > 2) finish(id)
  }

  const connection = await Wire.Wire.connect(tcpPort, {
    message: (delivery) => {
      const message = ledger.deliver(place, delivery)
      if (message === undefined) return
      held.set(delivery.id, message)
      treat(delivery.id, message)
    },
    error: (text) => {
      const match = /^E_(?:FIN|REQ|TOUCH)_FAILED ((?:FIN|REQ|TOUCH) (\S{16})) /.exec(text)
      if (match?.[2] === barrierId) return settle(batches.shift() ?? [])
      const command = match?.[1]
      if (command !== undefined) refused.set(command, (refused.get(command) ?? 0) + 1)
    }
  })
  const ready = manner === "finish" ? 500 : random.integer(1, 300)
  connection.send(`SUB ${shape?.name} ${shape?.channels[channel]}\nRDY ${ready}\n`)
  const barriers = setInterval(barrier, barrierMillis)
  const closed = new Promise<void>((resolve) => {
    connection.socket.once("close", () => {
      clearInterval(barriers)
      for (const timer of timers) clearTimeout(timer)
      resolve()
    })
  })
  return {
    close: () => connection.close(),
    closed,
    held: () => held.size + unconfirmed,
    finishing: () => write("CLS\n")
  }
}

/** Consumes in one connection after the other until the life ends. Half of them end without CLS. */
export const consumeRepeatedly = async (
  options: LoadOptions,
  topic: number,
  channel: number,
  life: Life
): Promise<void> => {
  const { random } = options
  while (!life.stopped) {
    const consumer = await consume(options, topic, channel, "mixed")
    await Promise.race([consumer.closed, delay(random.between(100, 3000))])
    if (!life.stopped && random.chance(0.5)) {
      consumer.finishing()
      await Promise.race([consumer.closed, delay(random.between(0, 100))])
    }
    if (!life.stopped) consumer.close()
    await consumer.closed
    await delay(random.between(0, 200))
  }
}
