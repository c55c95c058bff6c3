/**
 * Clients that disconnect leave nothing behind, in whatever state they were.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { until } from "../../src/testing/index.ts"
import * as Certificates from "../services/net/certificates.ts"
import { type Client, type Daemon, dial, identified, serve, sized } from "../services/nsqd/session/secureClient.ts"

setFlagsFromString("--expose-gc")
const gc: () => void = runInNewContext("gc")

/** Bytes in use when no client is connected. */
const bytesInUse = (daemon: Daemon) =>
  Effect.gen(function*() {
    yield* until(() => Array.from(daemon.clients.all()).length === 0)
    daemon.forgetLog()
    let least = Infinity
    // Finalizers of sockets need turns of the event loop.
    for (let i = 0; i < 10; i++) {
      yield* Effect.sleep("10 millis")
      gc()
      const { arrayBuffers, external, heapUsed } = process.memoryUsage()
      least = Math.min(least, heapUsed + external + arrayBuffers)
    }
    return least
  })

const publish = (client: Client, body: Buffer) =>
  Effect.andThen(client.raw(Buffer.concat([Buffer.from("PUB t\n"), sized(body)])), client.text)

const visits: Record<string, (daemon: Daemon, i: number) => Effect.Effect<void>> = {
  "2000 clients with messages in flight": (daemon, i) =>
    Effect.scoped(Effect.gen(function*() {
      const { client } = yield* identified(daemon.tcpPort, {})
      yield* client.raw("SUB t c\nRDY 10\n")
      assert.strictEqual(yield* client.text, "OK")
      assert.strictEqual(Buffer.from((yield* client.message).body).length, 1000)
      // Half of them reset the connection.
      if (i % 2 === 0) client.socket.resetAndDestroy()
    })).pipe(Effect.orDie),
  "500 clients that have sent part of an MPUB": (daemon) =>
    Effect.scoped(Effect.gen(function*() {
      const socket = yield* dial(daemon.tcpPort)
      const size = Buffer.alloc(4)
      size.writeInt32BE(5_000_000)
      const sent = Buffer.concat([Buffer.from("  V2MPUB t\n"), size, Buffer.alloc(300_000)])
      yield* Effect.callback<void>((resume) => void socket.write(sent, () => resume(Effect.void)))
    }))
}

describe("memory after clients have disconnected", () => {
  for (const [kind, visit] of Object.entries(visits)) {
    it.live(`a daemon frees the memory of ${kind}`, () =>
      Effect.gen(function*() {
        const daemon = yield* serve((yield* Certificates.files).options)
        const { client } = yield* identified(daemon.tcpPort, { heartbeat_interval: -1 })
        for (let i = 0; i < 50; i++) yield* publish(client, Buffer.alloc(1000))
        const round = (count: number) =>
          Effect.forEach(Array.from({ length: count }, (_, i) => i), (i) => visit(daemon, i), {
            concurrency: 20,
            discard: true
          })
        yield* Effect.sync(() => client.socket.destroy())
        yield* round(200)
        const before = yield* bytesInUse(daemon)
        yield* round(Number.parseInt(kind, 10))
        // Buffers of a partial MPUB each would be 150 MB, a session each 20 MB.
        const limit = 1024 * 1024
        let grown = Infinity
        // On a busy machine the last sockets are freed late.
        for (let i = 0; i < 50 && grown >= limit; i++) grown = (yield* bytesInUse(daemon)) - before
        assert.isBelow(grown, limit)
      }), 240_000)
  }
})
