import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { HttpClient } from "effect/http"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as Https from "node:https"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import * as Tls from "node:tls"
import { afterAll } from "vitest"
import * as ClientTls from "../../../src/services/client/ClientTls.ts"
import type { TlsOptions } from "../../../src/services/client/index.ts"
import * as HttpClients from "../../../src/services/http/HttpClients.ts"
import * as Trust from "../../../src/services/net/Trust.ts"
import { secured, serve } from "../nsqd/session/secureClient.ts"
import * as Certificates from "./certificates.ts"

const directory = mkdtempSync(join(tmpdir(), "trust-"))
afterAll(() => rmSync(directory, { recursive: true }))

/** A root, an intermediate authority below it, and what that has signed for a server and for clients. */
const chain = await Effect.runPromise(Effect.gen(function*() {
  const root = yield* Certificates.authority("root")
  const intermediate = yield* Certificates.authority("intermediate", root)
  const leaf = yield* Certificates.issue("localhost", intermediate)
  const other = yield* Certificates.authority("other")
  return { root, intermediate, leaf, other }
}))
const bundle = { cert: `${chain.leaf.cert}\n${chain.intermediate.cert}`, key: chain.leaf.key }

// What the system trusts is read once, when it is first needed.
mkdirSync(join(directory, "empty"))
writeFileSync(join(directory, "system.pem"), chain.root.cert)
process.env["SSL_CERT_FILE"] = join(directory, "system.pem")
process.env["SSL_CERT_DIR"] = join(directory, "empty")

const listening = <S extends Net.Server>(server: S) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<S>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))),
      () => Effect.sync(() => void server.close())
    ),
    () => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    }
  )

/** Whether a client with these options accepts the server; why not otherwise. */
const shake = Effect.fnUntraced(function*(options: TlsOptions) {
  const port = yield* listening(Tls.createServer(bundle, (socket) => socket.on("error", () => {})))
  const tls = yield* ClientTls.make(options, "localhost")
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => Net.connect(port, "127.0.0.1")),
    (each) => Effect.sync(() => void each.destroy())
  )
  return yield* Effect.match(tls.handshake(socket), { onSuccess: () => "accepted", onFailure: ({ reason }) => reason })
})

/** The same for requests by HTTPS. */
const request = Effect.fnUntraced(function*(tls?: HttpClients.ClientTls) {
  const port = yield* listening(Https.createServer(bundle, (_, response) => void response.end("ok")))
  const http = yield* Layer.build(HttpClients.layer({ httpClientConnectTimeout: Duration.seconds(5) }, tls))
  return yield* HttpClient.get(`https://localhost:${port}/`).pipe(
    Effect.flatMap((response) => response.text),
    Effect.provide(http),
    Effect.match({ onSuccess: () => "accepted", onFailure: (error) => String(error.cause ?? error) })
  )
})

describe("certificates to trust", () => {
  for (const name of ["root", "intermediate", "leaf"] as const) {
    it.live(`may be a file with only the ${name}, for clients of nsqd`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* shake({ ca: chain[name].cert }), "accepted")
      }).pipe(Effect.scoped))

    it.live(`may be a file with only the ${name}, for HTTPS requests`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* request(Trust.given(chain[name].cert)), "accepted")
      }).pipe(Effect.scoped))
  }

  it.live("are those of SSL_CERT_FILE where no file is given", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* shake({}), "accepted")
      assert.strictEqual(yield* shake({ minVersion: "TLSv1.3" }), "accepted")
      assert.strictEqual(yield* request(), "accepted")
      const { options } = yield* Certificates.files
      const { tcpPort } = yield* serve({ ...options, tlsClientAuthPolicy: "require-verify" })
      assert.strictEqual(yield* (yield* secured(tcpPort, bundle)).text, "OK")
    }).pipe(Effect.scoped))

  it.live("refuse what none of them has signed", () =>
    Effect.gen(function*() {
      assert.match(yield* shake({ ca: chain.other.cert }), /unable to (get|verify)/)
      assert.match(yield* request(Trust.given(chain.other.cert)), /unable to (get|verify)|Transport/)
    }).pipe(Effect.scoped))
})
