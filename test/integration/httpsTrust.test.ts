import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import * as Https from "node:https"
import type { AddressInfo } from "node:net"
import { join, resolve } from "node:path"
import * as Certificates from "../services/net/certificates.ts"
import * as Daemon from "./daemon.ts"

const program = resolve(import.meta.dirname, "../../src/programs/nsq_tail.ts")

/** An nsqlookupd over HTTPS without producers, and directories with and without the certificate of its authority. */
const lookupd = Effect.gen(function*() {
  const authority = yield* Certificates.authority("authority")
  const directory = yield* Daemon.temporaryDirectory
  const at = (name: string) => join(directory, name)
  for (const name of ["with", "without"]) mkdirSync(at(name))
  writeFileSync(at("without/readme"), "no certificates here")
  mkdirSync(at("with/directory"))
  for (const file of ["with/any-name", "file.pem"]) writeFileSync(at(file), authority.cert)
  const server = Https.createServer(
    yield* Certificates.issue("localhost", authority),
    (_, response) => void response.end(JSON.stringify({ channels: [], producers: [] }))
  )
  yield* Effect.acquireRelease(
    Effect.callback<void>((done) => void server.listen(0, "127.0.0.1", () => done(Effect.void))),
    () => Effect.sync(() => (server.closeAllConnections(), server.close()))
  )
  const { port } = server.address() as AddressInfo
  return { at, server, address: `https://localhost:${port}` }
})

/** Runs `nsq_tail` with this environment; returns `asked` if it reached the nsqlookupd, otherwise the error that it logs. */
const outcome = ({ address, server }: Effect.Success<typeof lookupd>, environment: Record<string, string>) =>
  Effect.acquireUseRelease(
    Effect.sync((): ChildProcess => {
      const { NODE_EXTRA_CA_CERTS: _, SSL_CERT_DIR: __, SSL_CERT_FILE: ___, ...inherited } = process.env
      const flags = ["--topic=test", "--channel=c", `--lookupd-http-address=${address}`]
      return spawn(process.execPath, [program, ...flags], {
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...inherited, ...environment }
      })
    }),
    (child) =>
      Effect.callback<string>((done) => {
        const asked = (): void => done(Effect.succeed("asked"))
        let log = ""
        server.once("request", asked)
        child.stderr?.setEncoding("utf8").on("data", (text: string) => {
          log += text
          const line = /error querying nsqlookupd.*/.exec(log)
          if (line !== null) done(Effect.succeed(line[0]))
        })
        child.once("close", (code) => done(Effect.succeed(`ended with ${code}: ${log}`)))
        return Effect.sync(() => void server.off("request", asked))
      }),
    // The request of a child that still runs would count for the next one.
    (child) => Effect.andThen(Effect.sync(() => void child.kill("SIGKILL")), Daemon.exitOf(child))
  )

/** Each case starts a program from its sources. */
const timeout = 480_000

describe("a utility that queries an nsqlookupd over HTTPS", () => {
  it.live(
    "a utility trusts the authorities in SSL_CERT_FILE, SSL_CERT_DIR and NODE_EXTRA_CA_CERTS",
    () =>
      Effect.gen(function*() {
        const server = yield* lookupd
        const { at } = server
        assert.strictEqual(yield* outcome(server, { SSL_CERT_FILE: at("file.pem") }), "asked")
        assert.strictEqual(yield* outcome(server, { SSL_CERT_DIR: at("with") }), "asked")
        const several = [at("missing"), at("without"), at("with")].join(":")
        assert.strictEqual(yield* outcome(server, { SSL_CERT_DIR: several }), "asked")
        assert.strictEqual(yield* outcome(server, { NODE_EXTRA_CA_CERTS: at("file.pem") }), "asked")
      }),
    timeout
  )

  it.live("a utility does not trust an unknown authority, and logs the reason", () =>
    Effect.gen(function*() {
      const server = yield* lookupd
      const { at } = server
      assert.match(yield* outcome(server, {}), /error querying nsqlookupd/)
      assert.match(yield* outcome(server, { SSL_CERT_DIR: at("without") }), /error querying nsqlookupd/)
    }), timeout)
})
