import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createSecureContext } from "node:tls"
import * as Grant from "../../src/services/nsqd/auth/Grant.ts"
import * as NsqdOptions from "../../src/services/nsqd/options/NsqdOptions.ts"
import * as ConfigFile from "../../src/services/options/ConfigFile.ts"

const text = readFileSync(join(import.meta.dirname, "../../docs/operations.md"), "utf8")

const example = (language: string): string => {
  const [, code = ""] = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "s").exec(text) ?? []
  return code
}

describe("the operations guide", () => {
  it.effect("the config file in the operations guide is valid and stricter than the defaults", () =>
    Effect.gen(function*() {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "docs-"))),
        (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
      )
      const path = join(directory, "nsqd.cfg")
      writeFileSync(path, example("toml"))
      const { given, warnings } = yield* ConfigFile.load(NsqdOptions.table, {
        path,
        unused: new Set(),
        logFormat: "nsq"
      })
      assert.deepStrictEqual(warnings, [])
      const options = { ...NsqdOptions.defaults(), ...given }
      yield* NsqdOptions.check(options)
      assert.isTrue(NsqdOptions.isTlsRequired(options))
      assert.isFalse(NsqdOptions.isPlainHttpRefused(options))
      assert.isAbove(options.maxConnections, 0)
      assert.isBelow(options.maxMsgSize, NsqdOptions.defaults().maxMsgSize)
      assert.isTrue(Duration.isLessThan(options.maxMsgTimeout, NsqdOptions.defaults().maxMsgTimeout))
    }))

  it("the auth server's response in the operations guide grants what the text says", () => {
    const { identity, permits } = Result.getOrThrow(Grant.decode(example("json")))
    assert.strictEqual(identity, "billing")
    assert.isTrue(permits("orders", "billing") && permits("orders", "billing-2") && permits("invoices.paid", ""))
    assert.isFalse(permits("orders", "") || permits("orders2", "billing") || permits("invoices.paid", "billing"))
  })

  it("every option that the operations guide names exists", () => {
    const keys = new Set(Object.values(NsqdOptions.table).map(({ key }) => key))
    for (const [, key = ""] of text.matchAll(/`([a-z0-9]+(?:_[a-z0-9]+)+) = /g)) assert.isTrue(keys.has(key), key)
    const flags = new Set(Object.values(NsqdOptions.table).map(({ flag }) => flag))
    for (const [, flag = ""] of text.matchAll(/`--((?:auth|http-client|max|topology|enable)-[a-z0-9-]*[a-z0-9])/g)) {
      assert.isTrue(flags.has(flag), flag)
    }
  })
})

const hasOpenssl = ((): boolean => {
  try {
    return execFileSync("openssl", ["version"], { encoding: "utf8" }).startsWith("OpenSSL")
  } catch {
    return false
  }
})()

describe.skipIf(!hasOpenssl)("the commands that make certificates", () => {
  it("the commands of the security guide make an authority, and certificates of it for a server and a client", () => {
    const guide = readFileSync(join(import.meta.dirname, "../../docs/security.md"), "utf8")
    const [, commands = ""] = /^## Make certificates\n.*?^```sh\n(.*?)^```/ms.exec(guide) ?? []
    const directory = mkdtempSync(join(tmpdir(), "certificates-"))
    const openssl = (...args: ReadonlyArray<string>): string =>
      execFileSync("openssl", [...args], { cwd: directory, encoding: "utf8" })
    try {
      execFileSync("sh", ["-ec", commands], { cwd: directory, stdio: "ignore" })
      const verified = (purpose: string, file: string): string =>
        openssl("verify", "-purpose", purpose, "-CAfile", "authority.pem", file).trim()
      assert.strictEqual(verified("sslserver", "server.pem"), "server.pem: OK")
      assert.strictEqual(verified("sslclient", "client.pem"), "client.pem: OK")
      assert.include(openssl("x509", "-in", "server.pem", "-noout", "-ext", "subjectAltName"), "DNS:nsqd-1.internal")
      for (const name of ["server", "client"]) {
        const read = (extension: string): string => readFileSync(join(directory, `${name}.${extension}`), "utf8")
        createSecureContext({ cert: read("pem"), key: read("key") })
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
