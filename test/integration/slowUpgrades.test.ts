/**
 * Clients that do not read, on connections of every kind: their messages stay in the queue instead of in buffers.
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
/** Together far more than the socket buffers and the outbox hold. */
const bodyBytes = 20_000

const compress = {
  plain: (client: Client) => Effect.succeed(client.rest),
  deflate: (client: Client) => DeflateConnection.make(client.rest, 1),
  snappy: (client: Client) =>
    Effect.map(SnappyCodecs.load, (codec) => SnappyConnection.make(client.rest, codec, unlimited))
}

describe("a client that does not read", () => {
  for (const tls of [false, true]) {
    for (const how of ["plain", "deflate", "snappy"] as const) {
      it.live(
        `nsqd does not buffer for a client that does not read on a ${how} connection ${
          tls ? "inside TLS" : "without TLS"
        }, and loses nothing`,
        () =>
          Effect.gen(function*() {
            const daemon = yield* serve((yield* Certificates.files).options)
            const features = { client_id: "slow", ...(how === "plain" ? {} : { [how]: true }) }
            const client = tls
              ? yield* secured(daemon.tcpPort, {}, features)
              : (yield* identified(daemon.tcpPort, features)).client
            if (tls) assert.strictEqual(yield* client.text, "OK")
            const slow = ProtocolClient.over(yield* compress[how](client))
            if (how !== "plain") assert.strictEqual(yield* slow.text, "OK")
            yield* slow.raw(`SUB t c\nRDY ${count}\n`)
            assert.strictEqual(yield* slow.text, "OK")
            client.socket.pause()

            const { client: publisher } = yield* identified(daemon.tcpPort, {})
            const bodies = Array.from({ length: count }, (_, i) => noise(bodyBytes, i))
            for (const body of bodies) {
              yield* publisher.raw(Buffer.concat([Buffer.from("PUB t\n"), sized(body)]))
              assert.strictEqual(yield* publisher.text, "OK")
            }
            const stats = Array.from(daemon.clients.all(), (each) => each.stats()).find(({ clientId }) =>
              clientId === "slow"
            )
            assert.isBelow(stats?.inFlightCount ?? count, count - 500)

            client.socket.resume()
            for (const body of bodies) {
              const message = yield* slow.message
              assert.isTrue(Buffer.from(message.body).equals(body))
              yield* slow.raw(`FIN ${message.id}\n`)
            }
          }),
        240_000
      )
    }
  }
})
