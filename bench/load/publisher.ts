/**
 * Publishes as fast as the daemon acknowledges: every connection keeps at most `window` commands without an answer and
 * sends as many new ones as answers came in with a read. With a batch of 1 the command is PUB, else MPUB. Only
 * acknowledged messages count. With a `limit` it publishes that many messages and stops; with a `backlog` it never runs
 * further than that ahead of the subscriber beside it.
 */
import { Connection } from "./connection.ts"
import { fail, measureRate, type Order, type Window, work } from "./worker.ts"

export interface PublisherConfig extends Window {
  readonly port: number
  readonly topic: string
  readonly connections: number
  /** Commands per connection that may wait for their answer. */
  readonly window: number
  /** Messages per command. */
  readonly batch: number
  readonly bodyBytes: number
  readonly limit?: number
  /** Messages that may be published and not yet delivered to every channel. */
  readonly backlog?: number
  readonly channels?: number
}

interface Publisher {
  readonly connection: Connection
  /** Commands that may be sent before the next answer. */
  credit: number
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const command = (config: PublisherConfig): Buffer => {
  const body = Buffer.alloc(config.bodyBytes, "x")
  const message = Buffer.concat([uint32(body.length), body])
  if (config.batch === 1) return Buffer.concat([Buffer.from(`PUB ${config.topic}\n`), message])
  const messages = Buffer.concat(Array.from({ length: config.batch }, () => message))
  const head = Buffer.from(`MPUB ${config.topic}\n`)
  return Buffer.concat([head, uint32(messages.length + 4), uint32(config.batch), messages])
}

work(async (config: PublisherConfig) => {
  const one = command(config)
  const many = Buffer.concat(Array.from({ length: config.window }, () => one))
  const channels = config.channels ?? 1
  const commandsMax = Math.ceil((config.limit ?? Infinity) / config.batch)
  const backlog = config.backlog ?? Infinity
  let published = 0
  let delivered = 0
  let sent = 0
  let finished = (): void => {}
  const done = new Promise<void>((resolve) => (finished = resolve))

  const send = (publisher: Publisher): void => {
    const ahead = sent * config.batch - delivered / channels
    const allowed = Math.min(commandsMax - sent, Math.floor((backlog - ahead) / config.batch))
    const count = Math.min(publisher.credit, allowed)
    if (count <= 0) return
    sent += count
    publisher.credit -= count
    publisher.connection.write(count === config.window ? many : many.subarray(0, count * one.length))
  }
  const open = async (index: number): Promise<Publisher> => {
    const publisher: Publisher = {
      credit: config.window,
      connection: new Connection({
        port: config.port,
        onFailure: fail,
        onOks: (count) => {
          published += count * config.batch
          publisher.credit += count
          send(publisher)
          if (config.limit !== undefined && published >= config.limit) finished()
        }
      })
    }
    await publisher.connection.open(`publisher-${index}`)
    return publisher
  }
  const publishers = await Promise.all(Array.from({ length: config.connections }, (_, index) => open(index)))

  return async () => {
    const startedAt = performance.now()
    publishers.forEach(send)
    process.on("message", (order: Order) => {
      if (order.type !== "delivered") return
      delivered = order.count
      publishers.forEach(send)
    })
    if (config.limit === undefined) return { rate: await measureRate(config, () => published) }
    await done
    return { rate: published / ((performance.now() - startedAt) / 1000) }
  }
})
