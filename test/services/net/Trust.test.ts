import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { HttpClient } from "effect/http"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as Https from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import * as Tls from "node:tls"
import { afterAll } from "vitest"
import type { TlsOptions } from "../../../src/services/client/index.ts"
import * as HttpClients from "../../../src/services/http/HttpClients.ts"
import * as Trust from "../../../src/services/net/Trust.ts"
import * as AuthServers from "../../../src/services/nsqd/auth/AuthServers.ts"
import * as NsqdOptions from "../../../src/services/nsqd/options/NsqdOptions.ts"
import { secured, serve } from "../nsqd/session/secureClient.ts"
import * as Certificates from "./certificates.ts"
import { listening, shake } from "./tlsServers.ts"

const directory = mkdtempSync(join(tmpdir(), "trust-"))
afterAll(() => rmSync(directory, { recursive: true }))

/** A root, an intermediate authority below it, and certificates for a server and clients, signed by the intermediate. */
const chain = await Effect.runPromise(Effect.gen(function*() {
  const root = yield* Certificates.authority("root")
  const intermediate = yield* Certificates.authority("intermediate", root)
  const leaf = yield* Certificates.issue("localhost", intermediate)
  const expired = yield* Certificates.issue("expired", intermediate, new Date(Date.now() - 3_600_000))
  const other = yield* Certificates.authority("other")
  return { root, intermediate, leaf, expired, other }
}))
const withIntermediate = ({ cert, key }: Certificates.Certificate) => ({
  cert: `${cert}\n${chain.intermediate.cert}`,
  key
})
const bundle = withIntermediate(chain.leaf)

// The certificates of the system are read once, on first use.
mkdirSync(join(directory, "empty"))
writeFileSync(join(directory, "system.pem"), chain.root.cert)
process.env["SSL_CERT_FILE"] = join(directory, "system.pem")
process.env["SSL_CERT_DIR"] = join(directory, "empty")

/** Starts an auth server; returns whether an nsqd with these options accepts it. */
const authorized = Effect.fnUntraced(function*(options: Partial<NsqdOptions.NsqdOptions> = {}) {
  const grant = JSON.stringify({ ttl: 5, identity: "me", authorizations: [] })
  const port = yield* listening(Https.createServer(bundle, (_, response) => void response.end(grant)))
  const servers = yield* AuthServers.make({
    ...NsqdOptions.defaults(),
    ...options,
    authHttpAddresses: [`https://localhost:${port}/auth`]
  })
  if (servers === undefined) return "no server"
  const credentials = { secret: Redacted.make(Buffer.from("s")), remoteIp: "127.0.0.1", tls: false, commonName: "" }
  return yield* Effect.match(servers.query(credentials), {
    onSuccess: () => "accepted",
    onFailure: ({ message }) => message
  })
})

/** The result of the handshake of a client with these options: the version of TLS, or the reason of the failure. */
const connected = Effect.fnUntraced(function*(options: TlsOptions) {
  const port = yield* listening(Tls.createServer(bundle, (socket) => socket.on("error", () => {})))
  return yield* shake(port, options)
})

const limits = { httpClientConnectTimeout: Duration.seconds(5) }

/** Returns whether an HTTPS client with these certificates accepts the server; otherwise the reason. */
const request = Effect.fnUntraced(function*(
  tls?: HttpClients.ClientTls,
  client: Layer.Layer<HttpClient.HttpClient> = HttpClients.layer(limits, tls)
) {
  const port = yield* listening(Https.createServer(bundle, (_, response) => void response.end("ok")))
  const http = yield* Layer.build(client)
  return yield* HttpClient.get(`https://localhost:${port}/`).pipe(
    Effect.flatMap((response) => response.text),
    Effect.provide(http),
    Effect.match({ onSuccess: () => "accepted", onFailure: (error) => String(error.cause ?? error) })
  )
})

/** An nsqd that requires client certificates, and its replies to clients with one, over TCP and HTTPS. */
const verifying = Effect.fnUntraced(function*(ca: string) {
  const { directory: place, options } = yield* Certificates.files
  const tlsRootCaFile = join(place, "trusted.pem")
  const trust = (pem: string) => Effect.sync(() => writeFileSync(tlsRootCaFile, pem))
  yield* trust(ca)
  const daemon = yield* serve({ ...options, tlsClientAuthPolicy: "require-verify", tlsRootCaFile })
  const tcp = Effect.fnUntraced(function*(certificate: Certificates.Certificate, maxVersion: Tls.SecureVersion) {
    const client = yield* secured(daemon.tcpPort, { ...certificate, maxVersion })
    return (yield* client.text)?.replace("E_IDENTIFY_FAILED IDENTIFY failed tls: ", "")
  })
  const https = Effect.fnUntraced(function*(certificate: Certificates.Certificate) {
    const http = yield* Layer.build(HttpClients.layer(limits, { ...certificate, rejectUnauthorized: false }))
    return yield* HttpClient.get(`https://127.0.0.1:${daemon.httpsPort}/ping`).pipe(
      Effect.flatMap((response) => response.text),
      Effect.provide(http),
      Effect.orElseSucceed(() => "refused")
    )
  })
  /** The reply, which is the same for every version of TLS, and the one of HTTPS. */
  const replies = Effect.fnUntraced(function*(certificate: Certificates.Certificate) {
    return [yield* tcp(certificate, "TLSv1.2"), yield* tcp(certificate, "TLSv1.3"), yield* https(certificate)]
  })
  return { replies, trust, reload: daemon.tls.reload }
})

const accepted = ["OK", "OK", "OK"]
const refused = (why: string) => {
  const reason = `failed to verify client certificate: x509: ${why}`
  return [reason, reason, "refused"]
}
const unknownAuthority = refused("certificate signed by unknown authority")
const outOfDate = refused("certificate has expired or is not yet valid")

describe("certificates to trust", () => {
  for (const name of ["root", "intermediate", "leaf"] as const) {
    it.live(`clients of nsqd trust a file with only the ${name}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* connected({ ca: chain[name].cert }), "TLSv1.3")
      }).pipe(Effect.scoped))

    it.live(`HTTPS requests trust a file with only the ${name}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* request(Trust.given(chain[name].cert)), "accepted")
      }).pipe(Effect.scoped))
  }

  for (const name of ["root", "intermediate", "leaf"] as const) {
    it.live(`requests to auth servers trust a file with only the ${name}`, () =>
      Effect.gen(function*() {
        const tlsRootCaFile = join(directory, `${name}.pem`)
        writeFileSync(tlsRootCaFile, chain[name].cert)
        assert.strictEqual(yield* authorized({ tlsRootCaFile }), "accepted")
      }).pipe(Effect.scoped))

    it.live(`an nsqd that verifies its clients trusts a file with only the ${name}`, () =>
      Effect.gen(function*() {
        const { replies } = yield* verifying(chain[name].cert)
        assert.deepStrictEqual(yield* replies(bundle), accepted)
        assert.deepStrictEqual(yield* replies(withIntermediate(yield* Certificates.issue("self"))), unknownAuthority)
        const second = withIntermediate(yield* Certificates.issue("second", chain.intermediate))
        assert.deepStrictEqual(yield* replies(second), name === "leaf" ? unknownAuthority : accepted)
      }).pipe(Effect.scoped))
  }

  it.live("a client certificate of another authority, or an expired one, is refused", () =>
    Effect.gen(function*() {
      const { replies, reload, trust } = yield* verifying(chain.other.cert)
      assert.deepStrictEqual(yield* replies(bundle), unknownAuthority)
      for (const ca of [chain.root, chain.intermediate, chain.expired]) {
        yield* trust(ca.cert)
        yield* reload
        assert.deepStrictEqual(yield* replies(withIntermediate(chain.expired)), outOfDate)
      }
    }).pipe(Effect.scoped))

  it.live("the file of trusted certificates still applies to clients after a reload", () =>
    Effect.gen(function*() {
      const { replies, reload, trust } = yield* verifying(chain.root.cert)
      assert.deepStrictEqual(yield* replies(bundle), accepted)
      yield* trust(chain.other.cert)
      yield* reload
      assert.deepStrictEqual(yield* replies(bundle), unknownAuthority)
      yield* trust(chain.intermediate.cert)
      yield* reload
      assert.deepStrictEqual(yield* replies(bundle), accepted)
    }).pipe(Effect.scoped))

  it.live("without a file the certificates of SSL_CERT_FILE are trusted", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* connected({}), "TLSv1.3")
      assert.strictEqual(yield* connected({ minVersion: "TLSv1.3" }), "TLSv1.3")
      assert.strictEqual(yield* request(), "accepted")
      assert.strictEqual(yield* request(undefined, HttpClients.layerUndici(limits, 1000)), "accepted")
      assert.strictEqual(yield* authorized(), "accepted")
      const { options } = yield* Certificates.files
      const { tcpPort } = yield* serve({ ...options, tlsClientAuthPolicy: "require-verify" })
      assert.strictEqual(yield* (yield* secured(tcpPort, bundle)).text, "OK")
    }).pipe(Effect.scoped))

  it.live("a certificate that no trusted authority has signed is refused", () =>
    Effect.gen(function*() {
      assert.match(yield* connected({ ca: chain.other.cert }), /unable to (get|verify)/)
      assert.match(yield* request(Trust.given(chain.other.cert)), /unable to (get|verify)|Transport/)
      const tlsRootCaFile = join(directory, "other.pem")
      writeFileSync(tlsRootCaFile, chain.other.cert)
      assert.match(yield* authorized({ tlsRootCaFile }), /UNABLE_TO_(GET|VERIFY)/)
    }).pipe(Effect.scoped))
})
