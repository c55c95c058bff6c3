/**
 * Producers of an nsqlookupd: all connect and send IDENTIFY, then all register their topics at once, and then topics are looked
 * up over HTTP, one request at a time on each connection, until the window ends.
 */
import * as Http from "node:http"
import * as Net from "node:net"
import { fail, type Figures, type Window, work } from "./worker.ts"

export interface LookupConfig extends Window {
  readonly tcpPort: number
  readonly httpPort: number
  readonly producers: number
  readonly topics: number
  readonly topicsPerProducer: number
  readonly lookupConnections: number
}

const sized = (text: string): Buffer => {
  const size = Buffer.alloc(4)
  size.writeInt32BE(Buffer.byteLength(text))
  return Buffer.concat([size, Buffer.from(text)])
}

/** A producer after IDENTIFY; `send` writes bytes and waits for this many responses. */
const connect = (port: number, index: number): Promise<(bytes: Buffer, responses: number) => Promise<void>> =>
  new Promise((resolve, reject) => {
    let pending: Buffer = Buffer.alloc(0)
    let missing = 0
    let done = (): void => {}
    const send = (bytes: Buffer, responses: number): Promise<void> =>
      new Promise((resolve) => {
        missing = responses
        done = resolve
        socket.write(bytes)
      })
    const socket = Net.connect({ host: "127.0.0.1", port, noDelay: true }, () => {
      const identity = {
        broadcast_address: `host-${index}`,
        hostname: `host-${index}`,
        tcp_port: 4150,
        http_port: 4151,
        version: "1.3.0"
      }
      const bytes = Buffer.concat([Buffer.from("  V1IDENTIFY\n"), sized(JSON.stringify(identity))])
      send(bytes, 1).then(() => resolve(send), reject)
    })
    socket.once("error", reject)
    socket.once("close", () => fail("the daemon closed a producer's connection"))
    socket.on("data", (chunk: Buffer) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const response = pending.toString("latin1", 4, 4 + pending.readInt32BE(0))
        if (response.startsWith("E_")) fail(response)
        pending = pending.subarray(4 + pending.readInt32BE(0))
        if (--missing === 0) done()
      }
    })
  })

const lookUp = (agent: Http.Agent, port: number, topic: string, producers: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, agent, path: `/lookup?topic=${topic}` }
    Http.get(options, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      response.on("end", () => {
        const found: unknown = (JSON.parse(text) as { readonly producers?: ReadonlyArray<unknown> }).producers?.length
        if (found === producers) resolve()
        else reject(new Error(`${topic} has ${String(found)} producers instead of ${producers}`))
      })
    }).once("error", reject)
  })

work(async (config: LookupConfig) => {
  const { httpPort, producers, tcpPort, topics, topicsPerProducer } = config
  const senders = await Promise.all(Array.from({ length: producers }, (_, index) => connect(tcpPort, index)))
  const spacing = Math.max(1, Math.floor(topics / producers))
  const requests = senders.map((_, index) => {
    const lines = Array.from(
      { length: topicsPerProducer },
      (_, i) => `REGISTER topic-${(index * spacing + i) % topics} channel\n`
    )
    return Buffer.from(lines.join(""))
  })

  return async (): Promise<Figures> => {
    const start = performance.now()
    await Promise.all(senders.map((send, index) => send(requests[index] ?? Buffer.alloc(0), topicsPerProducer)))
    const registering = (performance.now() - start) / 1000

    const agent = new Http.Agent({ keepAlive: true, maxSockets: config.lookupConnections })
    const times: Array<number> = []
    const warmUntil = performance.now() + config.warmUpSeconds * 1000
    const until = warmUntil + config.seconds * 1000
    let next = 0
    const worker = async (): Promise<void> => {
      while (performance.now() < until) {
        const sentAt = performance.now()
        await lookUp(agent, httpPort, `topic-${(next += 7919) % topics}`, producers * topicsPerProducer / topics)
        if (sentAt > warmUntil) times.push(performance.now() - sentAt)
      }
    }
    await Promise.all(Array.from({ length: config.lookupConnections }, worker))
    const sorted = times.toSorted((a, b) => a - b)
    return {
      rate: producers * topicsPerProducer / registering,
      p99: sorted[Math.floor(sorted.length * 0.99)] ?? NaN
    }
  }
})
