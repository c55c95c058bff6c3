import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Result } from "effect"
import Dns from "node:dns"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { generate } from "selfsigned"
import { vi } from "vitest"
import type { Credentials } from "../../../../src/services/nsqd/auth/Authorizer.ts"
import * as AuthServers from "../../../../src/services/nsqd/auth/AuthServers.ts"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"

interface Asked {
  readonly method: string
  readonly url: URL
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

type Handler = (asked: Asked, response: Http.ServerResponse) => void

const permission = JSON.stringify({
  ttl: 5,
  identity: "me",
  authorizations: [{ topic: ".*", channels: [".*"], permissions: ["publish"] }]
})

const grants: Handler = (_, response) => response.end(permission)

/** A server that responds by `handler` until the end of the test. */
const serve = (handler: Handler, tls?: Https.ServerOptions) =>
  Effect.gen(function*() {
    const asked: Array<Asked> = []
    const onRequest = (request: Http.IncomingMessage, response: Http.ServerResponse) => {
      const parts: Array<Buffer> = []
      request.on("data", (part: Buffer) => parts.push(part))
      request.on("end", () => {
        const { headers, method = "", url = "" } = request
        const one = { method, url: new URL(url, "http://x"), headers, body: Buffer.concat(parts).toString() }
        asked.push(one)
        handler(one, response)
      })
    }
    const server = tls === undefined ? Http.createServer(onRequest) : Https.createServer(tls, onRequest)
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () => Effect.sync(() => (server.closeAllConnections(), server.close()))
    )
    const { port } = server.address() as AddressInfo
    return { asked, port, address: `127.0.0.1:${port}` }
  })

/** An address without a listener: a port that was just closed may be that of another test's server. */
const nobody = "127.0.0.1:1"

const secret = "very secret & more"

const credentials: Credentials = {
  secret: Redacted.make(Buffer.from(secret)),
  remoteIp: "10.1.2.3",
  tls: true,
  commonName: "a client"
}

const query = (
  addresses: ReadonlyArray<string>,
  options: Partial<NsqdOptions.NsqdOptions> = {},
  known: Credentials = credentials
) =>
  Effect.gen(function*() {
    const servers = yield* AuthServers.make({ ...NsqdOptions.defaults(), ...options, authHttpAddresses: addresses })
    assert.isDefined(servers)
    return yield* Effect.result(servers.query(known))
  })

/** The message of a failed query; asserts that it does not contain the secret. */
const refusal = (
  addresses: ReadonlyArray<string>,
  options: Partial<NsqdOptions.NsqdOptions> = {}
) =>
  Effect.map(query(addresses, options), (result) => {
    const { message } = Result.getOrThrow(Result.flip(result))
    assert.notMatch(message, /secret/)
    return message
  })

const status = (code: number, body = "", headers: Http.OutgoingHttpHeaders = {}): Handler => (_, response) =>
  void response.writeHead(code, headers).end(body)

describe("AuthServers", () => {
  it.live("without addresses there is no authorizer", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* AuthServers.make(NsqdOptions.defaults()))
    }))

  it.live("auth servers are queried by GET /auth with all credentials in the query string", () =>
    Effect.gen(function*() {
      const server = yield* serve(grants)
      const grant = Result.getOrThrow(yield* query([server.address]))
      assert.deepStrictEqual([grant.identity, grant.permissionCount], ["me", 1])
      const asked = server.asked[0]!
      assert.strictEqual(asked.method, "GET")
      assert.strictEqual(asked.url.pathname, "/auth")
      assert.strictEqual(
        asked.url.search,
        "?common_name=a+client&remote_ip=10.1.2.3&secret=very+secret+%26+more&tls=true"
      )
      assert.strictEqual(asked.headers.accept, "application/vnd.nsq; version=1.0")
      assert.notProperty(asked.headers, "traceparent")
    }))

  it.live("the bytes of a secret that is not valid UTF-8 are preserved", () =>
    Effect.gen(function*() {
      const server = yield* serve(grants)
      yield* query([server.address], {}, { ...credentials, secret: Redacted.make(Buffer.from([0, 255, 97, 43, 126])) })
      assert.match(server.asked[0]?.url.search ?? "", /&secret=%00%FFa%2B~&/)
    }))

  it.live("auth servers are queried by POST with a JSON body of lists", () =>
    Effect.gen(function*() {
      const server = yield* serve(grants)
      Result.getOrThrow(yield* query([`http://${server.address}/deep/check?kept=1`], { authHttpRequestMethod: "post" }))
      const [asked] = server.asked
      assert.deepStrictEqual([asked?.method, asked?.url.pathname, asked?.url.search], [
        "POST",
        "/deep/check",
        "?kept=1"
      ])
      assert.match(asked?.headers["content-type"] ?? "", /^application\/json/)
      assert.deepStrictEqual(JSON.parse(asked?.body ?? ""), {
        common_name: ["a client"],
        remote_ip: ["10.1.2.3"],
        secret: [secret],
        tls: ["true"]
      })
    }))

  it.live("the query string of an auth server's URL is kept", () =>
    Effect.gen(function*() {
      const server = yield* serve(grants)
      yield* query([`http://${server.address}/check?site=a`])
      assert.match(server.asked[0]?.url.search ?? "", /^\?site=a&common_name=/)
    }))

  it.live("a response that is not 200, not valid JSON or too long permits nothing", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [Handler, RegExp]> = [
        [status(500, secret), /got response 500$/],
        [status(201, permission), /got response 201$/],
        [status(403, "{}"), /got response 403 without https_port$/],
        [status(403, "{\"https_port\":0}"), /got response 403 without https_port$/],
        [status(200, secret), /the response is not a valid authorization$/],
        [
          status(200, " ".repeat(1024 * 1024) + permission),
          /the response has more than 1048576 bytes \(fixed limit\)$/
        ],
        [(_, response) => response.destroy(), /TransportError ECONNRESET$/]
      ]
      for (const [handler, reason] of cases) {
        const server = yield* serve(handler)
        assert.match(yield* refusal([server.address]), reason)
      }
    }))

  it.live("an unreachable server, or one that is not an auth server, permits nothing", () =>
    Effect.gen(function*() {
      assert.match(
        yield* refusal([nobody]),
        /^failed to auth against 127.0.0.1:\d+ - TransportError ECONNREFUSED$/
      )
      const server = yield* serve(grants)
      assert.match(yield* refusal([`https://${server.address}/auth`]), /TransportError E(PROTO|RR_SSL)/)
    }))

  it.live("connecting to an auth server has a timeout", () =>
    Effect.gen(function*() {
      // The DNS lookup never completes.
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.spyOn(Dns, "lookup").mockImplementation(() => {})),
        (lookup) => Effect.sync(() => lookup.mockRestore())
      )
      const limit = { httpClientConnectTimeout: Duration.millis(50), httpClientRequestTimeout: Duration.minutes(1) }
      for (const address of ["http://somewhere.test/auth", "https://somewhere.test/auth"]) {
        assert.match(yield* refusal([address], limit), /TransportError ETIMEDOUT$/)
      }
    }))

  it.live("redirects on the same host are followed, up to a limit", () =>
    Effect.gen(function*() {
      const good = yield* serve(grants)
      const moved = (location: string) => serve(status(302, "", { location }))
      const elsewhere = yield* moved(`http://${good.address}/there?token=1`)
      assert.strictEqual(Result.getOrThrow(yield* query([elsewhere.address])).identity, "me")
      assert.strictEqual(good.asked[0]?.url.search, "?token=1")
      Result.getOrThrow(yield* query([elsewhere.address], { authHttpRequestMethod: "post" }))
      const { body, headers, method } = good.asked[1]!
      assert.deepStrictEqual([method, body, headers["content-type"], headers["content-length"]], [
        "GET",
        "",
        undefined,
        undefined
      ])
      assert.match(yield* refusal([(yield* moved("/again")).address]), /got response 302$/)
    }))

  it.live("no redirect sends the secret to another host or from HTTPS to HTTP", () =>
    Effect.gen(function*() {
      const thief = yield* serve(grants)
      const port = thief.address.split(":")[1]
      for (const code of [301, 302, 303, 307, 308]) {
        for (const location of [`http://localhost:${port}/`, `ftp://x/?secret=${secret}`, "http://["]) {
          const server = yield* serve(status(code, "", { location }))
          for (const authHttpRequestMethod of ["get", "post"]) {
            assert.match(
              yield* refusal([server.address], { authHttpRequestMethod }),
              new RegExp(`got response ${code} with a redirect to another host$`)
            )
          }
        }
      }
      assert.deepStrictEqual(thief.asked, [])
    }))

  it.live("the whole response of an auth server has a timeout", () =>
    Effect.gen(function*() {
      const limit = { httpClientRequestTimeout: Duration.millis(50) }
      const silent = yield* serve(() => {})
      assert.match(yield* refusal([silent.address], limit), /request timeout$/)
      const slow = yield* serve((_, response) => void response.writeHead(200).write("{"))
      assert.match(yield* refusal([slow.address], limit), /request timeout$/)
    }))

  it.live("auth servers are queried in turn until one responds", () =>
    Effect.gen(function*() {
      const good = yield* serve(grants)
      const bad = yield* serve(status(500))
      for (let i = 0; i < 10; i++) Result.getOrThrow(yield* query([nobody, bad.address, good.address]))
      assert.strictEqual(good.asked.length, 10)
      const reason = yield* refusal([nobody, bad.address])
      assert.match(reason, /failed to auth against .*ECONNREFUSED/)
      assert.match(reason, /failed to auth against .*got response 500/)
    }))

  it.live("an auth server may refuse plain HTTP and name its HTTPS port, as NSQ's daemons do", () =>
    Effect.gen(function*() {
      const certificate = yield* Effect.promise(() =>
        generate([{ name: "commonName", value: "localhost" }], {
          extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }]
        })
      )
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "auth-"))),
        (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
      )
      const tlsRootCaFile = join(directory, "ca.pem")
      writeFileSync(tlsRootCaFile, certificate.cert)
      const secure = yield* serve(grants, { key: certificate.private, cert: certificate.cert })
      const plain = yield* serve(status(403, JSON.stringify({ message: "TLS_REQUIRED", https_port: secure.port })))
      assert.strictEqual(Result.getOrThrow(yield* query([plain.address], { tlsRootCaFile })).identity, "me")
      assert.strictEqual(secure.asked[0]?.url.searchParams.get("secret"), secret)
      assert.match(yield* refusal([plain.address]), /TransportError DEPTH_ZERO_SELF_SIGNED_CERT$/)
      assert.strictEqual(secure.asked.length, 1)
    }))

  it.live("invalid auth server addresses and unreadable certificate authorities are errors", () =>
    Effect.gen(function*() {
      const make = (options: Partial<NsqdOptions.NsqdOptions>) =>
        Effect.map(Effect.flip(AuthServers.make({ ...NsqdOptions.defaults(), ...options })), ({ message }) => message)
      for (const address of ["ftp://x/auth", "http://", "host:port", "a b"]) {
        const message = `--auth-http-address: ${JSON.stringify(address)} is neither host:port nor an HTTP URL`
        assert.strictEqual(yield* make({ authHttpAddresses: [address] }), message)
      }
      assert.match(
        yield* make({ authHttpAddresses: ["localhost:1"], tlsRootCaFile: "/does/not/exist" }),
        /^--tls-root-ca-file: open \/does\/not\/exist: no such file or directory/
      )
    }))
})
