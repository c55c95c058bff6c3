/**
 * Consumes as fast as the daemon delivers: RDY 2500, and a FIN for every message, sent once per read. The connections are
 * spread over the channels `c0`, `c1`, ... With a `limit` the window also ends when that many messages have arrived, so that an
 * exhausted preloaded channel does not lower the figure. With `reports` it reports the number of delivered messages every few
 * milliseconds.
 */
import { Connection } from "./connection.ts"
import type { Upgrade } from "./upgrade.ts"
import { fail, report, sleep, type Window, work } from "./worker.ts"

export interface SubscriberConfig extends Window {
  readonly port: number
  readonly topic: string
  readonly channels: number
  readonly connectionsPerChannel: number
  readonly limit?: number
  readonly reports?: boolean
  readonly upgrade?: Upgrade
}

const readyCount = 2500
const reportMilliseconds = 2

work(async (config: SubscriberConfig) => {
  const limit = config.limit ?? Infinity
  let delivered = 0
  let finished = (): void => {}
  const done = new Promise<void>((resolve) => (finished = resolve))

  const open = async (index: number): Promise<Connection> => {
    const connection = new Connection({
      port: config.port,
      upgrade: config.upgrade,
      onFailure: fail,
      onDelivered: (count) => {
        delivered += count
        if (delivered >= limit) finished()
      }
    })
    await connection.open(`subscriber-${index}`)
    await connection.subscribe(config.topic, `c${index % config.channels}`)
    return connection
  }
  const total = config.channels * config.connectionsPerChannel
  const connections = await Promise.all(Array.from({ length: total }, (_, index) => open(index)))

  return async () => {
    for (const connection of connections) connection.ready(readyCount)
    if (config.reports === true) {
      let reported = 0
      setInterval(() => {
        if (delivered === reported) return
        reported = delivered
        void report({ type: "delivered", count: delivered })
      }, reportMilliseconds)
    }
    await Promise.race([sleep(config.warmUpSeconds * 1000), done])
    if (delivered >= limit) throw new Error("all preloaded messages arrived during the warm-up")
    const deliveredBefore = delivered
    const timeBefore = performance.now()
    await Promise.race([sleep(config.seconds * 1000), done])
    const elapsed = (performance.now() - timeBefore) / 1000
    if (delivered === deliveredBefore) throw new Error("nothing was delivered")
    return { rate: (delivered - deliveredBefore) / elapsed, seconds: elapsed }
  }
})
