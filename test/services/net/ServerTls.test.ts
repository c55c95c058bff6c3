import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Https from "node:https"
import { join } from "node:path"
import type { ConnectionOptions } from "node:tls"
import * as ServerTls from "../../../src/services/net/ServerTls.ts"
import * as NsqdOptions from "../../../src/services/nsqd/options/NsqdOptions.ts"
import { requestTo } from "../nsqd/http/api.ts"
import { connect, dial, handshake, identified, identify, secured, serve, sized } from "../nsqd/session/secureClient.ts"
import * as Certificates from "./certificates.ts"

/** Returns status and body of an HTTPS request, or the error. */
const https = (port: number, path: string, tls: ConnectionOptions = {}): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const options = { host: "127.0.0.1", port, path, agent: false, rejectUnauthorized: false, ...tls }
    const request = Https.get(options, (response) => {
      let text = ""
      response.on("data", (chunk) => text += chunk)
      response.on("end", () => resume(Effect.succeed(`${response.statusCode} ${text}`)))
    })
    request.on("error", (error) => resume(Effect.succeed(`failed: ${error.message}`)))
  })

/** A daemon with its own certificate. */
const withCertificate = (options: Partial<NsqdOptions.NsqdOptions> = {}) =>
  Effect.gen(function*() {
    const files = yield* Certificates.files
    return { files, ...yield* serve({ ...files.options, ...options }) }
  })

const alive = Effect.fnUntraced(function*(port: number) {
  const client = yield* secured(port)
  assert.strictEqual(yield* client.text, "OK")
})

describe("TLS over TCP", () => {
  it.live("TLS starts after IDENTIFY and carries all further data", () =>
    Effect.gen(function*() {
      const { clients, files, tcpPort } = yield* withCertificate()
      const client = yield* secured(tcpPort, { ca: files.ca.cert, servername: "localhost", rejectUnauthorized: true })
      assert.strictEqual(yield* client.text, "OK")
      assert.isTrue(client.secure.authorized)
      const body = Buffer.alloc(1_000_000, "0123456789")
      yield* client.raw(Buffer.concat([Buffer.from("SUB t c\nPUB t\n"), sized(body), Buffer.from("RDY 1\n")]))
      assert.deepStrictEqual([yield* client.text, yield* client.text], ["OK", "OK"])
      const message = yield* client.message
      assert.isTrue(Buffer.from(message.body).equals(body))
      const [shown] = Array.from(clients.all(), (client) => client.stats())
      assert.strictEqual(shown?.tls?.version, "TLS1.3")
      assert.match(shown?.tls?.cipherSuite ?? "", /^Unknown 486[567]$/)
    }))

  it.live("TLS accepts every version from the lowest allowed one", () =>
    Effect.gen(function*() {
      const { clients, tcpPort } = yield* withCertificate({ tlsMinVersion: "TLSv1" })
      const ciphers = "DEFAULT:@SECLEVEL=0"
      for (
        const [version, shown] of [["TLSv1", "1.0"], ["TLSv1.1", "1.1"], ["TLSv1.2", "1.2"], [
          "TLSv1.3",
          "1.3"
        ]] as const
      ) {
        const client = yield* secured(tcpPort, { minVersion: version, maxVersion: version, ciphers }, {
          client_id: version
        })
        assert.strictEqual(yield* client.text, "OK")
        const stats = Array.from(clients.all(), (client) => client.stats()).find(({ clientId }) => clientId === version)
        assert.strictEqual(stats?.tls?.version, `TLS${shown}`)
      }
      const usual = yield* withCertificate()
      const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers } as const
      assert.match(String(yield* Effect.flip(secured(usual.tcpPort, old))), /alert|version|closed/)
      assert.strictEqual(yield* (yield* secured(usual.tcpPort, { maxVersion: "TLSv1.2" })).text, "OK")
      const strict = yield* withCertificate({ tlsMinVersion: "TLSv1.3" })
      const error = yield* Effect.flip(secured(strict.tcpPort, { maxVersion: "TLSv1.2" }))
      assert.match(String(error), /alert|version|closed/)
      assert.match(
        yield* strict.logged(/E_IDENTIFY_FAILED/),
        /IDENTIFY failed tls: client offered only unsupported versions/
      )
      yield* alive(strict.tcpPort)
    }))

  it.live("a client that sends no TLS handshake gets a plain error", () =>
    Effect.gen(function*() {
      const { tcpPort } = yield* withCertificate()
      const { client } = yield* identified(tcpPort, { tls_v1: true })
      yield* client.raw(Buffer.concat([Buffer.from("PUB early\n"), sized("not a ClientHello")]))
      assert.strictEqual(
        yield* client.text,
        "E_IDENTIFY_FAILED IDENTIFY failed tls: first record does not look like a TLS handshake"
      )
      assert.isUndefined(yield* client.text)
      yield* alive(tcpPort)
    }))

  it.effect("a TLS handshake times out after five seconds", () =>
    Effect.gen(function*() {
      const { logged, tcpPort } = yield* withCertificate()
      const { client } = yield* identified(tcpPort, { tls_v1: true })
      yield* client.raw(Buffer.from([0x16, 3, 1]))
      yield* logged(/upgrading connection to TLS/)
      const answer = yield* Effect.forkChild(client.text)
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(answer.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const text = yield* Fiber.join(answer)
      assert.match(
        text ?? "",
        /^E_IDENTIFY_FAILED IDENTIFY failed read tcp 127.0.0.1:\d+->127.0.0.1:\d+: i\/o timeout$/
      )
    }))

  it.live("plain bytes sent before the TLS handshake are never executed as commands", () =>
    Effect.gen(function*() {
      const { clients, tcpPort } = yield* withCertificate()
      const early = yield* connect(tcpPort)
      yield* early.raw(Buffer.concat([identify({ tls_v1: true }), Buffer.from("PUB early\n"), sized("x")]))
      assert.match((yield* early.text) ?? "", /"tls_v1":true/)
      assert.strictEqual(yield* early.text, "E_IDENTIFY_FAILED IDENTIFY failed data before the end of the upgrade")
      assert.isUndefined(yield* early.text)
      const { client } = yield* identified(tcpPort, { tls_v1: true })
      client.socket.write(Buffer.concat([Buffer.from("PUB early\n"), sized("x")]))
      assert.match(String(yield* Effect.flip(handshake(client.socket))), /wrong version|closed|packet length/)
      const published = Array.from(clients.all(), (client) => client.stats().published.size)
      assert.isTrue(published.every((topics) => topics === 0))
      yield* alive(tcpPort)
    }))

  it.live("the policy require accepts any client certificate, and its error names the missing one", () =>
    Effect.gen(function*() {
      const { tcpPort } = yield* withCertificate({ tlsClientAuthPolicy: "require" })
      const stranger = yield* Certificates.issue("stranger")
      assert.strictEqual(yield* (yield* secured(tcpPort, stranger)).text, "OK")
      const client = yield* secured(tcpPort)
      assert.strictEqual(
        yield* client.text,
        "E_IDENTIFY_FAILED IDENTIFY failed tls: client didn't provide a certificate"
      )
      assert.isUndefined(yield* client.text)
    }))

  it.live("the policy require-verify accepts only certificates of the authority", () =>
    Effect.gen(function*() {
      const files = yield* Certificates.files
      const { tcpPort } = yield* serve({
        ...files.options,
        tlsClientAuthPolicy: "require-verify",
        tlsRootCaFile: files.caFile
      })
      const refused = (why: string) => `E_IDENTIFY_FAILED IDENTIFY failed tls: ${why}`
      const unverified = "failed to verify client certificate: x509:"
      const cases: ReadonlyArray<readonly [ConnectionOptions, string]> = [
        [yield* Certificates.issue("known", files.ca), "OK"],
        [{}, refused("client didn't provide a certificate")],
        [yield* Certificates.issue("self"), refused(`${unverified} certificate signed by unknown authority`)],
        [
          yield* Certificates.issue("stranger", yield* Certificates.authority("authority")),
          refused(`${unverified} certificate signed by unknown authority`)
        ],
        [
          yield* Certificates.issue("old", files.ca, new Date(Date.now() - 3_600_000)),
          refused(`${unverified} certificate has expired or is not yet valid`)
        ]
      ]
      for (const [certificate, answer] of cases) {
        for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
          const client = yield* secured(tcpPort, { ...certificate, maxVersion })
          assert.strictEqual(yield* client.text, answer)
        }
      }
    }))

  it.live("the daemon survives clients that disconnect at any point of a TLS handshake", () =>
    Effect.gen(function*() {
      const { logged, tcpPort } = yield* withCertificate()
      for (
        const hello of [Buffer.alloc(0), Buffer.from([0x16]), Buffer.from([0x16, 3, 1, 0, 100, 1, 0, 0, 96, 3, 3])]
      ) {
        const { client } = yield* identified(tcpPort, { tls_v1: true, client_id: "leaves" })
        client.socket.write(hello)
        client.socket.resetAndDestroy()
      }
      yield* logged(/exiting ioloop/)
      yield* alive(tcpPort)
    }))
})

describe("reload of certificates", () => {
  it.live("reloaded certificates apply to new connections, and no connection is lost", () =>
    Effect.gen(function*() {
      const { files, httpsPort, tcpPort, tls } = yield* withCertificate()
      const before = yield* secured(tcpPort)
      assert.strictEqual(yield* before.text, "OK")
      assert.strictEqual(before.secure.getPeerCertificate().subject.CN, "localhost")
      yield* files.replace(yield* Certificates.issue("renewed", files.ca))
      yield* tls.reload
      yield* before.raw("SUB t c\n")
      assert.strictEqual(yield* before.text, "OK")
      const after = yield* secured(tcpPort)
      assert.strictEqual(yield* after.text, "OK")
      assert.strictEqual(after.secure.getPeerCertificate().subject.CN, "renewed")
      const { secure } = { secure: yield* handshake(yield* dial(httpsPort)) }
      assert.strictEqual(secure.getPeerCertificate().subject.CN, "renewed")
    }))

  it.live("invalid certificates are not reloaded", () =>
    Effect.gen(function*() {
      const { files, tcpPort, tls } = yield* withCertificate()
      const { cert } = yield* Certificates.issue("renewed", files.ca)
      for (const bad of [{ cert, key: "no key" }, { cert: "no certificate", key: "" }, yield* mismatch]) {
        yield* files.replace(bad)
        const error = yield* Effect.flip(tls.reload)
        assert.match(error.message, /^--tls-(cert|key): .*server\.(pem|key)/)
        const client = yield* secured(tcpPort)
        assert.strictEqual(yield* client.text, "OK")
        assert.strictEqual(client.secure.getPeerCertificate().subject.CN, "localhost")
      }
    }))
})

/** A certificate with the key of another certificate. */
const mismatch = Effect.gen(function*() {
  const { cert } = yield* Certificates.issue("one")
  const { key } = yield* Certificates.issue("other")
  return { cert, key }
})

describe("invalid TLS configurations", () => {
  const problem = (options: Partial<NsqdOptions.NsqdOptions>) =>
    ServerTls.make({ ...NsqdOptions.defaults(), ...options }).pipe(
      Effect.flip,
      Effect.map(({ message }) => message)
    )

  it.live("the error of an invalid TLS configuration names the flag and the reason", () =>
    Effect.gen(function*() {
      const { caFile, directory, options: { tlsCert, tlsKey }, replace } = yield* Certificates.files
      const missing = join(directory, "none.pem")
      assert.match(yield* problem({ tlsCert: missing, tlsKey }), /^--tls-cert: open .*none\.pem: no such file/)
      assert.match(yield* problem({ tlsCert, tlsKey: missing }), /^--tls-key: open .*none\.pem: no such file/)
      assert.match(yield* problem({ tlsCert: tlsKey, tlsKey }), /^--tls-cert: .*server\.key: .*no start line/)
      assert.match(yield* problem({ tlsCert, tlsKey: tlsCert }), /^--tls-key: .*server\.pem: /)
      assert.strictEqual(yield* problem({ tlsCert }), "--tls-cert and --tls-key must be set together")
      assert.strictEqual(yield* problem({ tlsKey }), "--tls-cert and --tls-key must be set together")
      assert.match(yield* problem({ tlsRootCaFile: missing }), /^--tls-root-ca-file: open /)
      assert.match(
        yield* problem({ tlsCert, tlsKey, tlsRootCaFile: tlsKey }),
        /^--tls-root-ca-file: failed to append certificate to pool: .*server\.key/
      )
      assert.strictEqual(
        yield* problem({ tlsCert, tlsKey, tlsClientAuthPolicy: "requires" }),
        "--tls-client-auth-policy must be require or require-verify, not \"requires\""
      )
      yield* replace(yield* mismatch)
      assert.match(yield* problem({ tlsCert, tlsKey, tlsRootCaFile: caFile }), /^--tls-key: .*key values mismatch/)
    }))
})

describe("the HTTPS listener", () => {
  it.live("the HTTPS listener serves the HTTP API", () =>
    Effect.gen(function*() {
      const { files, httpPort, httpsPort, log } = yield* withCertificate()
      const trusting = { ca: files.ca.cert, servername: "localhost", rejectUnauthorized: true }
      assert.strictEqual(yield* https(httpsPort, "/ping", trusting), "200 OK")
      assert.strictEqual((yield* requestTo({ host: "127.0.0.1", port: httpPort }, "GET", "/ping")).text, "OK")
      assert.isTrue(log.some((line) => line.endsWith(`HTTPS: listening on 127.0.0.1:${httpsPort}`)))
    }))

  it.live("the HTTPS listener serves clients that offer other protocols than HTTP/1.1", () =>
    Effect.gen(function*() {
      const { httpsPort } = yield* withCertificate()
      for (const ALPNProtocols of [["http/1.0"], ["h2"], ["h2", "http/1.1"], ["http/1.1"]]) {
        assert.strictEqual(yield* https(httpsPort, "/ping", { ALPNProtocols }), "200 OK")
      }
    }))

  it.live("with --tls-required the plain HTTP listener responds with the HTTPS port", () =>
    Effect.gen(function*() {
      const { httpPort, httpsPort } = yield* withCertificate({ tlsRequired: true })
      const address = { host: "127.0.0.1", port: httpPort }
      const expected = `{"message": "TLS_REQUIRED", "https_port": ${httpsPort}}`
      for (const [method, path, body] of [["GET", "/ping"], ["POST", "/pub?topic=t", "x"], ["GET", "/nope"]] as const) {
        const answer = yield* requestTo(address, method, path, body)
        assert.deepStrictEqual([answer.status, answer.text], [403, expected])
        assert.strictEqual(answer.headers["content-type"], "application/json; charset=utf-8")
      }
      assert.strictEqual(yield* https(httpsPort, "/ping"), "200 OK")
    }))

  it.live("the HTTPS listener responds to plain HTTP requests with a plain error", () =>
    Effect.gen(function*() {
      const { httpsPort, logged } = yield* withCertificate()
      const answer = yield* requestTo({ host: "127.0.0.1", port: httpsPort }, "GET", "/ping")
      assert.strictEqual(answer.status, 400)
      assert.strictEqual(answer.text, "Client sent an HTTP request to an HTTPS server.\n")
      const line = yield* logged(/TLS handshake error/)
      assert.match(line, /WARNING: http: TLS handshake error from 127\.0\.0\.1:\d+: tls: first record does not look/)
    }))

  it.live("the HTTPS listener cannot listen on a unix socket", () =>
    Effect.gen(function*() {
      const files = yield* Certificates.files
      const exit = yield* Effect.exit(serve({ ...files.options, httpsAddress: "/tmp/https.sock" }))
      assert.match(String(exit), /listen \(\/tmp\/https.sock\) failed - missing port in address/)
    }))

  it.live("the HTTPS listener applies the policy for client certificates", () =>
    Effect.gen(function*() {
      const files = yield* Certificates.files
      const policy = { tlsClientAuthPolicy: "require-verify", tlsRootCaFile: files.caFile }
      const { httpsPort, logged } = yield* serve({ ...files.options, ...policy })
      assert.match(yield* https(httpsPort, "/ping"), /^failed/)
      yield* logged(/TLS handshake error from 127\.0\.0\.1:\d+: tls: client didn't provide a certificate/)
      assert.match(yield* https(httpsPort, "/ping", yield* Certificates.issue("stranger")), /^failed/)
      yield* logged(/tls: failed to verify client certificate/)
      assert.strictEqual(yield* https(httpsPort, "/ping", yield* Certificates.issue("known", files.ca)), "200 OK")
    }))
})
