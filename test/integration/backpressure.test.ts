/**
 * Delivery does not depend on acknowledgements: a consumer receives as many messages as its ready count allows, regardless of
 * their size, on connections of every kind and at every reading speed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { unlimited } from "../../src/services/core/Turns.ts"
import * as DeflateConnection from "../../src/services/net/DeflateConnection.ts"
import * as SnappyCodecs from "../../src/services/net/SnappyCodecs.ts"
import * as SnappyConnection from "../../src/services/net/SnappyConnection.ts"
import { ProtocolClient } from "../../src/testing/index.ts"
import * as Certificates from "../services/net/certificates.ts"
import { noise } from "../services/net/connections.ts"
import { type Client, identified, secured, serve, sized } from "../services/nsqd/session/secureClient.ts"

const count = 2500
const bodyBytes = 4096

const compress = {
  plain: (client: Client) => Effect.succeed(client.rest),
  deflate: (client: Client) => DeflateConnection.make(client.rest, 1),
  snappy: (client: Client) =>
    Effect.map(SnappyCodecs.load, (codec) => SnappyConnection.make(client.rest, codec, unlimited))
}

/** A subscribed consumer whose ready count is 0. */
const subscribed = Effect.fnUntraced(function*(port: number, how: keyof typeof compress, tls: boolean) {
  const features = how === "plain" ? {} : { [how]: true }
  const client = tls ? yield* secured(port, {}, features) : (yield* identified(port, features)).client
  if (tls) assert.strictEqual(yield* client.text, "OK")
  const consumer = ProtocolClient.over(yield* compress[how](client))
  if (how !== "plain") assert.strictEqual(yield* consumer.text, "OK")
  yield* consumer.raw("SUB t c\n")
  assert.strictEqual(yield* consumer.text, "OK")
  return { consumer, socket: client.socket }
})

const bodies = Array.from({ length: count }, (_, i) => noise(bodyBytes, i))

/** Publishes all bodies in MPUBs of 100. */
const publishAll = Effect.fnUntraced(function*(port: number) {
  const { client } = yield* identified(port, {})
  for (let i = 0; i < count; i += 100) {
    const batch = bodies.slice(i, i + 100).map(sized)
    const size = Buffer.alloc(4)
    size.writeInt32BE(batch.length)
    yield* client.raw(Buffer.concat([Buffer.from("MPUB t\n"), sized(Buffer.concat([size, ...batch]))]))
    assert.strictEqual(yield* client.text, "OK")
  }
})

describe("delivery to a consumer that acknowledges nothing", () => {
  for (const tls of [false, true]) {
    for (const how of ["plain", "deflate", "snappy"] as const) {
      const kind = `a consumer on a ${how} connection ${
        tls ? "inside TLS" : "without TLS"
      } receives as much as its ready count allows`

      it.live(`${kind}, if all messages are waiting`, () =>
        Effect.gen(function*() {
          const daemon = yield* serve((yield* Certificates.files).options)
          yield* publishAll(daemon.tcpPort)
          const { consumer } = yield* subscribed(daemon.tcpPort, how, tls)
          yield* consumer.raw(`RDY ${count}\n`)
          for (const body of bodies) assert.isTrue(Buffer.from((yield* consumer.message).body).equals(body))
        }), 240_000)

      it.live(`${kind}, if it pauses reading repeatedly`, () =>
        Effect.gen(function*() {
          const daemon = yield* serve((yield* Certificates.files).options)
          yield* publishAll(daemon.tcpPort)
          const { consumer, socket } = yield* subscribed(daemon.tcpPort, how, tls)
          yield* consumer.raw(`RDY ${count}\n`)
          for (const [i, body] of bodies.entries()) {
            if (i % 500 === 100) {
              socket.pause()
              // Meanwhile the daemon fills the socket buffers.
              for (let turn = 0; turn < 50; turn++) yield* Effect.sleep(1)
              socket.resume()
            }
            assert.isTrue(Buffer.from((yield* consumer.message).body).equals(body))
          }
        }), 240_000)
    }
  }
})
