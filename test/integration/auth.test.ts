import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import type { Command } from "../../src/protocol/client/Command.ts"
import { TopicName } from "../../src/protocol/client/Names.ts"
import { requestTo } from "../services/nsqd/http/api.ts"
import * as Client from "./client.ts"
import * as Daemon from "./daemon.ts"

const grant = JSON.stringify({
  ttl: 60,
  identity: "somebody",
  authorizations: [{ topic: "mine", channels: [".*"], permissions: ["publish"] }]
})

const secret = "a-secret-that-nobody-may-see"

/** An auth server that accepts one secret. */
const authServer = Effect.gen(function*() {
  const server = Http.createServer((request, response) => {
    const known = new URL(request.url ?? "", "http://x").searchParams.get("secret") === secret
    response.writeHead(known ? 200 : 401).end(known ? grant : `unknown secret: ${request.url}`)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => (server.closeAllConnections(), server.close()))
  )
  const { port } = server.address() as AddressInfo
  return `127.0.0.1:${port}`
})

const auth = (secret: string): Command => ({ _tag: "AUTH", secret: Buffer.from(secret) })
const pub = (topic: string): Command => ({ _tag: "PUB", topic: TopicName.make(topic), body: Buffer.from("x") })

describe("authorisation by an auth server", () => {
  it.live("nsqd permits what the auth server's response permits, and no output contains the secret", () =>
    Effect.gen(function*() {
      const address = yield* authServer
      const flags = [`--auth-http-address=${address}`, "--log-level=debug"]
      const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, flags)

      const client = yield* Client.connect(daemon)
      const granted = "{\"identity\":\"somebody\",\"identity_url\":\"\",\"permission_count\":1}"
      assert.strictEqual(yield* client.ask(auth(secret)), granted)
      assert.strictEqual(yield* client.ask(pub("mine")), "OK")
      const stats = yield* requestTo({ host: "127.0.0.1", port: daemon.httpPort }, "GET", "/stats?format=json")
      assert.match(stats.text, /"authed":true,"auth_identity":"somebody"/)
      assert.strictEqual(yield* client.ask(pub("yours")), "E_UNAUTHORIZED AUTH failed for PUB on \"yours\" \"\"")

      const stranger = yield* Client.connect(daemon)
      assert.strictEqual(yield* stranger.ask(auth(`${secret}-not`)), "E_AUTH_FAILED AUTH failed")
      yield* daemon.logged(/AUTH failed failed to auth against 127\.0\.0\.1:\d+ - got response 401/)
      const nobody = yield* Client.connect(daemon)
      assert.strictEqual(yield* nobody.ask(pub("mine")), "E_AUTH_FIRST AUTH required before PUB")

      assert.notInclude(daemon.log(), secret)
      assert.notInclude(stats.text, secret)
    }))
})
