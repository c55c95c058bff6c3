/** The signals that end a tool, with an endpoint that never responds. */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { resolve } from "node:path"
import { afterEach, beforeEach } from "vitest"
import { encodeFrame, encodeResponse, FrameType } from "../../src/protocol/client/Frame.ts"
import { killAll } from "./children.ts"

const program = resolve(import.meta.dirname, "../../src/programs/nsq_to_http.ts")

const connections = new Set<Socket>()
/** An nsqd that sends a consumer one message. */
const nsqd = createServer((socket) => {
  connections.add(socket)
  socket.on("error", () => {}).on("close", () => connections.delete(socket))
  socket.on("data", (chunk) => {
    const text = chunk.toString("latin1")
    if (text.includes("IDENTIFY")) socket.write(encodeResponse("{\"max_rdy_count\":2500,\"msg_timeout\":60000}"))
    if (text.includes("SUB ")) socket.write(encodeResponse("OK"))
    if (text.includes("CLS") || text.includes("RDY 0")) nsqd.emit("stopping")
    if (text.includes("RDY 1")) {
      const message = Buffer.concat([
        Buffer.alloc(8),
        Buffer.from([0, 1]),
        Buffer.from("0123456789abcdef"),
        Buffer.from("x")
      ])
      socket.write(encodeFrame(FrameType.message, message))
    }
  })
})
/** An endpoint that accepts requests and never responds. */
const endpoint = createHttpServer(() => {})
let child: ChildProcess | undefined

const portOf = (server: typeof nsqd | typeof endpoint): number => (server.address() as AddressInfo).port

beforeEach(async () => {
  for (const server of [nsqd, endpoint]) {
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
  }
})
afterEach(async () => {
  if (child !== undefined) await killAll([child])
  const closed = [nsqd, endpoint].map((server) => new Promise((resolve) => server.close(resolve)))
  for (const socket of connections) socket.destroy()
  endpoint.closeAllConnections()
  await Promise.all(closed)
})

describe("a tool that waits for an endpoint", () => {
  it("a second signal ends the tool at once", async () => {
    const requested = once(endpoint, "request")
    child = spawn(process.execPath, [
      program,
      "--topic=t",
      `--nsqd-tcp-address=127.0.0.1:${portOf(nsqd)}`,
      "--max-in-flight=1",
      `--post=http://127.0.0.1:${portOf(endpoint)}/`
    ], { stdio: ["ignore", "ignore", "pipe"] })
    const ended = once(child, "exit")
    await requested
    child.kill("SIGINT")
    // The first signal stops the consumer, which takes no more messages.
    await once(nsqd, "stopping")
    child.kill("SIGINT")
    assert.deepStrictEqual(await ended, [130, null])
  })
})
