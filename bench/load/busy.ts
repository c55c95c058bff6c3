/**
 * The clients of a busy cluster, for nsqadmin: on each nsqd a consumer for each channel of some topics, and a producer that publishes to
 * all topics in turn.
 */
import { Connection } from "./connection.ts"
import { sleep, stopped, work } from "./worker.ts"

export interface BusyConfig {
  readonly ports: ReadonlyArray<number>
  readonly topics: ReadonlyArray<string>
  readonly channels: ReadonlyArray<string>
  /** Topics with consumers, from the first. */
  readonly consumed: number
  /** Messages per second on each nsqd. */
  readonly rate: number
}

/** Concurrent connects: fewer than a listener's backlog. */
const atOnce = 50
const stepMillis = 50

const open = async (port: number, name: string): Promise<Connection> => {
  const onFailure = (cause: Error): void => {
    process.stderr.write(`${name}: ${cause.message}\n`)
  }
  const connection = new Connection({ port, onFailure, readBufferBytes: 4096 })
  await connection.open(name)
  return connection
}

const publication = (topic: string): Buffer => Buffer.from(`PUB ${topic}\n\0\0\0\x01x`, "latin1")

work(async ({ channels, consumed, ports, rate, topics }: BusyConfig) => {
  const wanted = ports.flatMap((port) =>
    topics.slice(0, consumed).flatMap((topic) => channels.map((channel) => ({ port, topic, channel })))
  )
  for (let at = 0; at < wanted.length; at += atOnce) {
    await Promise.all(
      wanted.slice(at, at + atOnce).map(async ({ channel, port, topic }) => {
        const connection = await open(port, `${topic}-${channel}`)
        await connection.subscribe(topic, channel)
        connection.ready(10)
      })
    )
  }
  const producers = await Promise.all(ports.map((port) => open(port, "producer")))
  const ending = new AbortController()
  void stopped.then(() => ending.abort())
  return async () => {
    const begun = performance.now()
    let published = 0
    while (!ending.signal.aborted) {
      const due = Math.floor(((performance.now() - begun) / 1000) * rate)
      const bytes: Array<Buffer> = []
      for (; published < due; published++) bytes.push(publication(topics[published % topics.length] ?? ""))
      if (bytes.length > 0) { for (const producer of producers) producer.write(Buffer.concat(bytes)) }
      await sleep(stepMillis)
    }
    return { published }
  }
})
