/**
 * Publishes as fast as the daemon acknowledges: every connection keeps at most `window` commands without a response, and sends
 * as many new ones as a read had responses. With a batch of 1 the command is PUB, otherwise MPUB. Only acknowledged messages
 * count. With a `limit` it publishes that many messages and stops; with a `backlog` it stays at most that many messages ahead
 * of the subscriber beside it.
 */
import { Connection } from "./connection.ts"
import type { Upgrade } from "./upgrade.ts"
import { fail, measureRate, type Order, type Window, work } from "./worker.ts"

export interface PublisherConfig extends Window {
  readonly port: number
  readonly topic: string
  readonly connections: number
  /** Commands per connection without a response. */
  readonly window: number
  /** Messages per command. */
  readonly batch: number
  readonly bodyBytes: number
  readonly limit?: number
  /** Limit for messages that are published and not yet delivered to every channel. */
  readonly backlog?: number
  readonly channels?: number
  readonly upgrade?: Upgrade
  /** Uses bodies that compress like JSON, instead of one repeated letter. */
  readonly text?: boolean
  /** Defers the messages with DPUB. Requires a batch of 1. */
  readonly deferMilliseconds?: number
  /** Publishes with HPUB and this header, whose value is another one in each message. Requires a batch of 1 and no upgrade. */
  readonly header?: string
}

/** Digits of the value of a header. */
const valueDigits = 16

interface Publisher {
  readonly connection: Connection
  /** One command, and as many as may have no response, prepared for sending. */
  one: Buffer
  many: Buffer
  /** Commands that may be sent before the next response. */
  credit: number
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Returns an event like those in logs: repeated names, different values. */
const textBody = (length: number, index: number): string => {
  let text = ""
  for (let word = index + 1; text.length < length;) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0
    text += `{"event":"order","customer":${word % 1_000_000},"token":"${word.toString(36)}","total":${word % 9973}.50}`
  }
  return text.slice(0, length)
}

const message = ({ bodyBytes, text }: PublisherConfig, index: number): Buffer => {
  const body = text === true ? Buffer.from(textBody(bodyBytes, index)) : Buffer.alloc(bodyBytes, "x")
  return Buffer.concat([uint32(body.length), body])
}

const command = (config: PublisherConfig): Buffer => {
  if (config.batch === 1) {
    const { deferMilliseconds, header, topic } = config
    if (header !== undefined) {
      const headers = Buffer.from(`${header}:${"0".repeat(valueDigits)}\n`)
      return Buffer.concat([Buffer.from(`HPUB ${topic}\n`), uint32(headers.length), headers, message(config, 0)])
    }
    const head = deferMilliseconds === undefined ? `PUB ${topic}\n` : `DPUB ${topic} ${deferMilliseconds}\n`
    return Buffer.concat([Buffer.from(head), message(config, 0)])
  }
  const messages = Buffer.concat(Array.from({ length: config.batch }, (_, index) => message(config, index)))
  const head = Buffer.from(`MPUB ${config.topic}\n`)
  return Buffer.concat([head, uint32(messages.length + 4), uint32(config.batch), messages])
}

/** Writes a number in decimal digits. */
const writeValue = (bytes: Buffer, at: number, value: number): void => {
  let rest = value
  for (let digit = valueDigits - 1; digit >= 0; digit--) {
    bytes[at + digit] = 0x30 + rest % 10
    rest = Math.floor(rest / 10)
  }
}

work(async (config: PublisherConfig) => {
  const one = command(config)
  const valueAt = config.header === undefined ? -1 : one.indexOf(":") + 1
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
    const { connection, many, one } = publisher
    const bytes = count === config.window ? many : many.subarray(0, count * one.length)
    if (valueAt < 0) return connection.write(bytes)
    const own = Buffer.from(bytes)
    for (let i = 0; i < count; i++) writeValue(own, i * one.length + valueAt, sent - i)
    connection.write(own)
  }
  const open = async (index: number): Promise<Publisher> => {
    const publisher: Publisher = {
      credit: config.window,
      one,
      many: one,
      connection: new Connection({
        port: config.port,
        upgrade: config.upgrade,
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
    publisher.one = publisher.connection.prepare(one)
    publisher.many = Buffer.concat(Array.from({ length: config.window }, () => publisher.one))
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
