/**
 * Another client, while an operation keeps a daemon busy: it sends a PUB over TCP and a `/ping` over HTTP every millisecond,
 * each after the response to the last one, and reports the longest wait of each. It runs between the orders `start` and `stop`.
 */
import * as Net from "node:net"
import { Connection } from "./connection.ts"
import { fail, sleep, stopped, work } from "./worker.ts"

export interface ProbeConfig {
  readonly tcpPort: number
  readonly httpPort: number
}

const topic = "probe"
const body = "probe"

/** Sequential round trips. */
class RoundTrips {
  longest = 0
  count = 0
  private sentAt: number | undefined
  private readonly send: () => void

  constructor(send: () => void) {
    this.send = send
  }

  start(): void {
    if (this.sentAt !== undefined) return
    this.sentAt = performance.now()
    this.send()
  }

  replied(): void {
    if (this.sentAt === undefined) return
    this.note(performance.now() - this.sentAt)
    this.sentAt = undefined
    this.count++
  }

  /** Includes the wait that is not over. */
  end(): void {
    if (this.sentAt !== undefined) this.note(performance.now() - this.sentAt)
  }

  reset(): void {
    this.longest = 0
    this.count = 0
  }

  private note(milliseconds: number): void {
    this.longest = Math.max(this.longest, milliseconds)
  }
}

work(async (config: ProbeConfig) => {
  const head = Buffer.from(`PUB ${topic}\n\0\0\0\0`, "latin1")
  head.writeUInt32BE(body.length, head.length - 4)
  const publish = Buffer.concat([head, Buffer.from(body)])
  const connection = new Connection({ port: config.tcpPort, onFailure: fail, onOks: () => tcp.replied() })
  const tcp = new RoundTrips(() => connection.write(publish))
  await connection.open("probe")

  const ping = Buffer.from(`GET /ping HTTP/1.1\r\nHost: 127.0.0.1:${config.httpPort}\r\n\r\n`, "latin1")
  const socket = Net.connect({ host: "127.0.0.1", port: config.httpPort, noDelay: true })
  const http = new RoundTrips(() => socket.write(ping))
  socket.on("error", fail)
  socket.on("close", () => fail(new Error("the daemon closed the HTTP connection")))
  socket.on("data", (chunk: Buffer) => {
    if (chunk.subarray(-2).toString("latin1") === "OK") http.replied()
  })
  await new Promise<void>((resolve) => socket.once("connect", resolve))
  const timer = setInterval(() => {
    tcp.start()
    http.start()
  }, 1)
  // The first round trips create the topic and warm up both sides.
  while (tcp.count < 300 || http.count < 300) await sleep(1)

  return async () => {
    tcp.reset()
    http.reset()
    await stopped
    clearInterval(timer)
    tcp.end()
    http.end()
    return { tcp: tcp.longest, http: http.longest }
  }
})
