/** How a consumer treats addresses that an nsqlookupd names, where any client may have registered them. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Net from "node:net"
import { encodeFrame, FrameType } from "../../../src/protocol/client/Frame.ts"
import type { ClientError } from "../../../src/services/client/ClientError.ts"
import { Topic } from "../../../src/services/client/index.ts"
import * as Links from "../../../src/services/client/Links.ts"
import * as DaemonNetworks from "../../../src/services/net/DaemonNetworks.ts"
import * as NodeTransport from "../../../src/services/net/NodeTransport.ts"
import { fakeServer } from "../http/fakeServer.ts"

const { name: topic } = Topic.bytes("test")

/** A server that requires a secret and does not offer TLS, and the bytes it received. */
const thief = Effect.gen(function*() {
  const heard: Array<string> = []
  const port = yield* Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const server = Net.createServer((socket) => {
        socket.on("error", () => {}).on("data", (chunk) => {
          heard.push(chunk.toString("latin1"))
          if (chunk.includes("IDENTIFY")) {
            socket.write(encodeFrame(FrameType.response, Buffer.from(`{"auth_required":true}`)))
          } else if (chunk.includes("AUTH")) socket.end()
        })
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => void server.close())
  ).pipe(Effect.map((server) => {
    const bound = server.address()
    return typeof bound === "object" && bound !== null ? bound.port : 0
  }))
  const lookupd = yield* fakeServer((request, response) => {
    if (request.url?.startsWith("/lookup") !== true) return void response.writeHead(404).end()
    response.end(JSON.stringify({ producers: [{ broadcast_address: "127.0.0.1", tcp_port: port }] }))
  })
  return { heard, lookupd, port }
})

/** Returns why the first connection of a consumer fails. */
const reasonOf = Effect.fnUntraced(function*(
  servers: Links.LinkSettings["servers"],
  connection: Links.LinkSettings["connection"] = {}
) {
  const failed = yield* Deferred.make<ClientError>()
  yield* Links.run({
    servers,
    connection,
    topic,
    use: () => Effect.never,
    onUnavailable: (_, error) => void Deferred.doneUnsafe(failed, Effect.succeed(error))
  })
  return (yield* Deferred.await(failed)).message
}, Effect.provide([FetchHttpClient.layer, NodeTransport.layer]))

const authSecret = Redacted.make("s3cret")

describe("an nsqd that nsqlookupd names", () => {
  it.live("an nsqd that nsqlookupd names does not get the auth secret without TLS", () =>
    Effect.gen(function*() {
      const { heard, lookupd } = yield* thief
      assert.include(yield* reasonOf({ lookupd: [lookupd] }, { authSecret }), "the auth secret is not sent without TLS")
      assert.notInclude(heard.join(), "s3cret")
    }))

  it.live("an nsqd gets the auth secret without TLS if the operator allows it or configured the address", () =>
    Effect.gen(function*() {
      const allowed = yield* thief
      yield* reasonOf({ lookupd: [allowed.lookupd] }, { authSecret, authWithoutTls: true })
      assert.include(allowed.heard.join(), "s3cret")
      const configured = yield* thief
      yield* reasonOf({ nsqd: [`127.0.0.1:${configured.port}`] }, { authSecret })
      assert.include(configured.heard.join(), "s3cret")
    }))

  it.live("an nsqd that nsqlookupd names is refused on loopback if nsqlookupd is elsewhere, and outside of the allowed networks", () =>
    Effect.gen(function*() {
      const { heard, lookupd } = yield* thief
      const refused = yield* reasonOf({ lookupd: [lookupd] }).pipe(
        Effect.provideService(DaemonNetworks.DaemonNetworks, {
          ...DaemonNetworks.make([]),
          originBy: () => Effect.succeed("remote" as const)
        })
      )
      assert.include(
        refused,
        "127.0.0.1 is not an address that another daemon may announce (--allowed-daemon-networks)"
      )
      assert.include(
        yield* reasonOf({ lookupd: [lookupd], allowedNetworks: ["10.0.0.0/8"] }),
        "--allowed-daemon-networks"
      )
      assert.deepStrictEqual(heard, [])
    }))
})
