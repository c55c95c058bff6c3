/**
 * Both ends of a connection in memory, for tests of wrappers around connections.
 */
import { Effect, Queue, type Scope } from "effect"
import { type Connection, Transport } from "../../../src/services/net/Transport.ts"
import { MemoryNetwork, type Peer } from "../../../src/testing/MemoryTransport.ts"

export interface Ends {
  readonly server: Connection
  readonly client: Peer
}

let ports = 1

/** Opens a connection; the server's end stays open until the test ends. */
export const open: Effect.Effect<Ends, never, Transport | MemoryNetwork | Scope.Scope> = Effect.gen(function*() {
  const transport = yield* Transport
  const network = yield* MemoryNetwork
  const accepted = yield* Queue.unbounded<Connection>()
  const address = `here:${ports++}`
  yield* transport.listen(address, (connection) => Effect.andThen(Queue.offer(accepted, connection), Effect.never))
  const client = yield* network.connect(address)
  return { server: yield* Queue.take(accepted), client }
}).pipe(Effect.orDie)

/** Reads until `length` bytes have arrived, or the connection ends. */
export const readBytes = Effect.fnUntraced(function*(connection: Connection, length: number) {
  const chunks: Array<Buffer> = []
  for (let left = length; left > 0;) {
    const chunk = yield* connection.read
    if (chunk === undefined) break
    chunks.push(chunk)
    left -= chunk.length
  }
  return Buffer.concat(chunks)
})

/** Returns bytes without repetitions, the same in every run for the same seed. */
export const noise = (length: number, seed = 1): Buffer => {
  const bytes = Buffer.alloc(length)
  let x = seed >>> 0
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = x >>> 24
  }
  return bytes
}
