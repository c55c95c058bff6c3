/**
 * Opens many connections that subscribe and then only reply to heartbeats, until the benchmark ends them.
 */
import { Connection } from "./connection.ts"
import { fail, work } from "./worker.ts"

export interface IdleConfig {
  readonly port: number
  readonly topic: string
  readonly connections: number
}

/** Concurrent connects: fewer than a listener's backlog. */
const atOnce = 50

work(async (config: IdleConfig) => {
  const open = async (index: number): Promise<void> => {
    const connection = new Connection({ port: config.port, onFailure: fail, readBufferBytes: 4096 })
    await connection.open(`idle-${index}`)
    await connection.subscribe(config.topic, "c0")
  }
  for (let index = 0; index < config.connections; index += atOnce) {
    const count = Math.min(atOnce, config.connections - index)
    await Promise.all(Array.from({ length: count }, (_, offset) => open(index + offset)))
  }
  return () => Promise.resolve({ connections: config.connections })
})
