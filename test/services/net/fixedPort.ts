/** Ports for servers that a test stops, and often starts again. */
import { Effect } from "effect"
import * as Net from "node:net"
import process from "node:process"

/** Below the ports that systems choose for connections and for servers on port 0: Linux from 32768, others from 49152. */
const first = 20_000
/** Ports for each worker of Vitest. */
const perWorker = 500

const base = first + (Number(process.env["VITEST_POOL_ID"] ?? 0) % 24) * perWorker
let next = Math.floor(Math.random() * perWorker)

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = Net.createServer().once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/**
 * A port of the loopback interface for a server of this test alone, which no other process gets while the server is stopped. The port
 * of a server that has listened on port 0 is free for all others as soon as the server stops.
 */
export const fixedPort: Effect.Effect<number> = Effect.suspend(() => {
  const port = base + next++ % perWorker
  return Effect.flatMap(isFree(port), (free) => free ? Effect.succeed(port) : fixedPort)
})
