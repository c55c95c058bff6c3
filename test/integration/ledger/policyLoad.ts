/**
 * Publishers with keys, and consumers that give messages up, during one life of a daemon with policies.
 */
import { delay, type Life, type Ports } from "./load.ts"
import { keyOf, type PolicyLedger } from "./PolicyLedger.ts"
import type { Random } from "./random.ts"
import * as Wire from "./wire.ts"

export const channelName = "a"

export interface PolicyLoadOptions extends Ports {
  readonly ledger: PolicyLedger
  readonly random: Random
}

/** Publishers wait while consumers have not finished so many messages. */
const openLimit = 3000

export const keyHeader = "nsq-dedup-key"

/** The rows of the next publishes: those without a reply, a few that are stored already, and new ones. */
function* rowsOf({ ledger, random }: PolicyLoadOptions, topic: string): Generator<number> {
  yield* ledger.again(topic, () => random.chance(0.02))
  while (true) yield ledger.publish(topic, random.integer(20, random.chance(0.95) ? 300 : 5000))
}

/** HPUB with a key for each message, partly pipelined. Each has its reply in order. */
export const publishOverTcp = async (options: PolicyLoadOptions, topic: string, life: Life): Promise<void> => {
  const { ledger, random, tcpPort } = options
  const connection = await Wire.Requests.connect(tcpPort)
  const rows = rowsOf(options, topic)
  let isOpen = true
  while (!life.stopped && isOpen) {
    const batch = Array.from({ length: random.integer(1, 20) }, () => rows.next().value ?? 0)
    const replies = await Promise.all(batch.map(async (row) => {
      const reply = await connection.ask(Wire.hpub(topic, { [keyHeader]: keyOf(row) }, ledger.bodyOf(row)))
      if (reply === "OK") ledger.acknowledge(row)
      else if (!life.stopped) life.refused.push(reply)
      return reply
    }))
    isOpen = replies.every((reply) => reply === "OK")
    await delay(ledger.open > openLimit ? 20 : random.chance(0.3) ? random.between(0, 10) : 0)
  }
  connection.close()
}

/** `/pub` with a key. */
export const publishOverHttp = async (options: PolicyLoadOptions, topic: string, life: Life): Promise<void> => {
  const { httpPort, ledger, random } = options
  const rows = rowsOf(options, topic)
  while (!life.stopped) {
    const row = rows.next().value ?? 0
    const sent = Wire.http(httpPort, `/pub?topic=${topic}`, ledger.bodyOf(row), undefined, { [keyHeader]: keyOf(row) })
    // A request that a kill interrupts was not acknowledged.
    const reply = await sent.catch(() => undefined)
    if (reply === undefined) break
    if (reply.status === 200) ledger.acknowledge(row)
    else if (!life.stopped) life.refused.push(`/pub: ${reply.status} ${reply.body}`)
    await delay(random.between(0, 10))
  }
}

export interface PolicyConsumer {
  readonly close: () => void
  readonly closed: Promise<void>
}

/**
 * Finishes most messages. Bad ones are requeued or left to time out until they are dead letters, some others are rejected. With
 * `finishesAll` every message is finished.
 */
export const consume = async (
  { ledger, random, tcpPort }: PolicyLoadOptions,
  topic: string,
  finishesAll: boolean
): Promise<PolicyConsumer> => {
  const connection = await Wire.Wire.connect(tcpPort, {
    message: (delivery) => {
      const { id } = delivery
      const row = ledger.deliver(topic, delivery)
      if (row === undefined) return
      const finish = (): void => {
        ledger.finish(row)
        connection.send(`FIN ${id}\n`)
      }
      if (finishesAll) return finish()
      const draw = random.next()
      if (ledger.isBad(row)) {
        // Some are left to time out.
        if (draw < 0.95) connection.send(`REQ ${id} ${draw < 0.7 ? 0 : random.integer(1, 200)}\n`)
      } else if (draw < 0.02) connection.send(`REQ ${id} 0 bad\n`)
      else if (draw < 0.1) connection.send(`REQ ${id} ${random.integer(0, 100)}\n`)
      else if (draw < 0.2) setTimeout(finish, random.between(1, 100))
      else finish()
    }
  })
  const features = { feature_negotiation: true, headers: true, reject: true }
  connection.send(Wire.identify(features))
  connection.send(`SUB ${topic} ${channelName}\nRDY ${finishesAll ? 500 : random.integer(1, 200)}\n`)
  const closed = new Promise<void>((resolve) => void connection.socket.once("close", () => resolve()))
  return { close: () => connection.close(), closed }
}

/** Consumes in one connection after the other until the life ends. */
export const consumeRepeatedly = async (options: PolicyLoadOptions, topic: string, life: Life): Promise<void> => {
  const { random } = options
  while (!life.stopped) {
    const consumer = await consume(options, topic, false)
    await Promise.race([consumer.closed, delay(random.between(200, 2000))])
    if (!life.stopped) consumer.close()
    await consumer.closed
    await delay(random.between(0, 100))
  }
}
