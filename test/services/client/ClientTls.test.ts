import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Certificates from "../net/certificates.ts"
import { listening, shake } from "../net/tlsServers.ts"

/** An authority, and a certificate of it for `localhost` and 127.0.0.1. */
const certified = Effect.gen(function*() {
  const ca = yield* Certificates.authority("authority")
  return { ca, server: yield* Certificates.issue("localhost", ca) }
})

/** What a server knows about a client after the handshake. */
interface Seen {
  /** The name in the ClientHello; `false` without one. */
  readonly servername: unknown
  /** The common name of the client's certificate. */
  readonly client: string | undefined
}

/** A TLS server on a free port, and what it sees of its first client. */
const serve = Effect.fnUntraced(function*(options: Tls.TlsOptions) {
  const seen = yield* Deferred.make<Seen>()
  const port = yield* listening(Tls.createServer(options, (socket) => {
    socket.on("error", () => {})
    const { subject } = socket.getPeerCertificate()
    const client = subject === undefined ? undefined : String(subject.CN)
    Deferred.doneUnsafe(seen, Effect.succeed({ servername: Reflect.get(socket, "servername"), client }))
  }))
  return { port, seen: Deferred.await(seen) }
})

describe("the TLS handshake of a client", () => {
  it.live("the client requests the certificate of the host by name, but not by IP address", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* certified
      for (const [host, servername] of [["localhost", "localhost"], ["127.0.0.1", false]] as const) {
        const { port, seen } = yield* serve(server)
        assert.strictEqual(yield* shake(port, { ca: ca.cert }, host), "TLSv1.3")
        assert.deepStrictEqual(yield* seen, { servername, client: undefined })
      }
    }).pipe(Effect.scoped))

  it.live("a certificate for another host is refused, unless the client verifies nothing", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* certified
      const { port } = yield* serve(server)
      assert.match(yield* shake(port, { ca: ca.cert }, "nsqd.example"), /^tls: .*does not match certificate's altnames/)
      assert.strictEqual(yield* shake(port, { ca: ca.cert, insecureSkipVerify: true }, "nsqd.example"), "TLSv1.3")
      assert.strictEqual(yield* shake(port, { insecureSkipVerify: true }, "nsqd.example"), "TLSv1.3")
    }).pipe(Effect.scoped))

  it.live("a self-signed certificate is refused, unless the client trusts it", () =>
    Effect.gen(function*() {
      const self = yield* Certificates.issue("localhost")
      const { port } = yield* serve(self)
      assert.match(yield* shake(port, {}), /^tls: self-signed certificate/)
      assert.strictEqual(yield* shake(port, { ca: self.cert }), "TLSv1.3")
    }).pipe(Effect.scoped))

  it.live("the client presents its certificate to a server that requests one", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* certified
      const { cert, key } = yield* Certificates.issue("me", ca)
      const { port, seen } = yield* serve({ ...server, ca: ca.cert, requestCert: true })
      assert.strictEqual(yield* shake(port, { ca: ca.cert, cert, key }), "TLSv1.3")
      assert.strictEqual((yield* seen).client, "me")
    }).pipe(Effect.scoped))

  it.live("a server with only older versions of TLS than minVersion is refused", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* certified
      const { port } = yield* serve({ ...server, maxVersion: "TLSv1.2" })
      assert.strictEqual(yield* shake(port, { ca: ca.cert }), "TLSv1.2")
      assert.match(yield* shake(port, { ca: ca.cert, minVersion: "TLSv1.3" }), /^tls: .*(version|alert)/)
    }).pipe(Effect.scoped))

  it.live("a connection that the server closes during the handshake is a failure", () =>
    Effect.gen(function*() {
      const port = yield* listening(Net.createServer((socket) => socket.once("data", () => socket.end())))
      assert.match(yield* shake(port, {}), /^tls: .*(closed|disconnected)/)
    }).pipe(Effect.scoped))
})
