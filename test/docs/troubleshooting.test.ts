/** The messages in the guide to troubleshooting are those that the programs print. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../..")

/** All sources, without the escapes and line breaks inside of strings. */
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => readFileSync(join(root, "src", name), "utf8")).join("\n")
  .replaceAll("\\\"", "\"")

/** Messages of Node, of the operating system and of OpenSSL. */
const ofOthers = [
  "address already in use",
  "connect ECONNREFUSED",
  "connection refused",
  "no such file or directory",
  "resource temporarily unavailable",
  "unknown certificate authority",
  "self-signed certificate",
  "Hostname/IP does not match certificate's altnames",
  "protocol version"
]

/** Parts of a message that are values, and what joins the parts of a message. */
const value = /\.\.\.|127\.0\.0\.1:\d+|"[^"]*"|<[^>]*>|\b(?:nsqd|nsqadmin|IDENTIFY failed)\b|: | - |, /

const text = readFileSync(join(root, "docs/troubleshooting.md"), "utf8")

/** The code spans in the first column of the tables. */
const messages = Array.from(text.matchAll(/^\| ([^|]*)\|/gm), ([, cell = ""]) => cell)
  .flatMap((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, message = ""]) => message))

describe("the guide to troubleshooting", () => {
  it("every message in it occurs in the sources, or is one of Node or the operating system", () => {
    assert.isAbove(messages.length, 40)
    const missing = messages.flatMap((message) =>
      ofOthers.reduce((rest, other) => rest.replaceAll(other, "..."), message).split(value)
        .map((part) => part.replaceAll(/^[\s,:;()-]+|[\s,:;()-]+$/g, ""))
        .filter((part) => part.length > 3 && !/^\d+$/.test(part) && !sources.includes(part))
        .map((part) => `${message}: ${part}`)
    )
    assert.deepStrictEqual(missing, [])
  })
})
