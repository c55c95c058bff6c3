/**
 * Publishes over HTTP on keep-alive connections, one request at a time on each. The request is built once. Responses must be
 * `200` with a Content-Length; after the first one, a chunk of the same length is checked by its status line alone.
 */
import * as Net from "node:net"
import { fail, measureRate, type Window, work } from "./worker.ts"

export interface HttpConfig extends Window {
  readonly port: number
  readonly path: string
  readonly connections: number
  readonly lines: number
  readonly bodyBytes: number
}

const statusOk = Buffer.from("HTTP/1.1 200", "latin1")

/** Length of the first response in `text`, or 0 if more bytes are needed. */
const responseLength = (text: string): number => {
  const headEnd = text.indexOf("\r\n\r\n")
  if (headEnd < 0) return 0
  if (!text.startsWith("HTTP/1.1 200")) throw new Error(`response ${text.slice(0, 200)}`)
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd))
  if (length === null) throw new Error("the response has no Content-Length")
  const total = headEnd + 4 + Number(length[1])
  return text.length >= total ? total : 0
}

work(async (config: HttpConfig) => {
  const line = "x".repeat(config.bodyBytes)
  const body = Array.from({ length: config.lines }, () => line).join("\n")
  const request = Buffer.from(
    `POST ${config.path} HTTP/1.1\r\nHost: 127.0.0.1:${config.port}\r\nUser-Agent: effect-nsq-bench/1\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    "latin1"
  )
  let published = 0
  let usualLength = 0

  const open = (): Promise<Net.Socket> =>
    new Promise((resolve, reject) => {
      let pending = ""
      const socket = Net.connect({ host: "127.0.0.1", port: config.port, noDelay: true })
      const replied = (): void => {
        published += config.lines
        socket.write(request)
      }
      socket.once("connect", () => resolve(socket))
      socket.once("error", reject)
      socket.once("close", () => fail("the daemon closed an HTTP connection"))
      socket.on("data", (chunk: Buffer) => {
        if (pending === "" && chunk.length === usualLength && statusOk.compare(chunk, 0, statusOk.length) === 0) {
          replied()
          return
        }
        pending += chunk.toString("latin1")
        try {
          const length = responseLength(pending)
          if (length === 0) return
          usualLength = length
          pending = pending.slice(length)
          replied()
        } catch (cause) {
          fail(cause)
        }
      })
    })
  const sockets = await Promise.all(Array.from({ length: config.connections }, open))

  return async () => {
    for (const socket of sockets) socket.write(request)
    return { rate: await measureRate(config, () => published) }
  }
})
