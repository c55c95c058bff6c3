/**
 * nsqjs, an independent client, over TLS and with each compression; for snappy it uses `snappystream`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import nsq, { type Message } from "nsqjs"
import * as Certificates from "../services/net/certificates.ts"
import { noise } from "../services/net/connections.ts"
import * as Daemon from "./daemon.ts"

const total = 2000
const batch = 100

/** Every tenth body is not compressible, some are large. */
const bodyOf = (i: number): Buffer =>
  Buffer.concat([Buffer.from(`${i}:`), i % 10 === 0 ? noise(i * 10, i) : Buffer.alloc(i % 300, "compressible ")])

const publishAll = (port: number, options: Record<string, unknown>): Effect.Effect<void, Error> =>
  Effect.callback((resume) => {
    const writer = new nsq.Writer("127.0.0.1", port, options)
    const finish = (result: Effect.Effect<void, Error>): void => {
      writer.close()
      resume(result)
    }
    const next = (at: number): void => {
      if (at >= total) return finish(Effect.void)
      const bodies = Array.from({ length: batch }, (_, i) => bodyOf(at + i))
      writer.publish("test", bodies, (error) => error ? finish(Effect.fail(error)) : next(at + batch))
    }
    writer.on("ready", () => next(0))
    writer.on("error", (error: Error) => finish(Effect.fail(error)))
    writer.connect()
  })

/** Consumes and finishes messages until every body has arrived unchanged. */
const consumeAll = (port: number, options: Record<string, unknown>): Effect.Effect<void, Error> =>
  Effect.callback((resume) => {
    const seen = new Set<number>()
    const settings = { nsqdTCPAddresses: `127.0.0.1:${port}`, maxInFlight: 50, ...options }
    const reader = new nsq.Reader("test", "c", settings)
    const finish = (result: Effect.Effect<void, Error>): void => {
      reader.close()
      resume(result)
    }
    reader.on("message", (message: Message) => {
      const number = Number(message.body.toString("latin1", 0, message.body.indexOf(":")))
      if (!message.body.equals(bodyOf(number))) return finish(Effect.die(new Error(`message ${number} is damaged`)))
      message.finish()
      seen.add(number)
      if (seen.size === total) finish(Effect.void)
    })
    reader.on("error", (error: Error) => finish(Effect.fail(error)))
    reader.connect()
  })

const compressions = {
  "no compression": {},
  "deflate": { deflate: true },
  "deflate at level 1": { deflate: true, deflateLevel: 1 },
  "snappy": { snappy: true }
}

describe("upgrades with nsqjs", () => {
  for (const tls of [false, true]) {
    for (const [name, compression] of Object.entries(compressions)) {
      if (!tls && name === "no compression") continue
      it.live(
        `nsqjs publishes and consumes with ${name} ${tls ? "inside TLS" : "without TLS"}`,
        () =>
          Effect.gen(function*() {
            const { ca, options: { tlsCert, tlsKey } } = yield* Certificates.files
            const flags = tls ? [`--tls-cert=${tlsCert}`, `--tls-key=${tlsKey}`, "--tls-required=tcp-https"] : []
            const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, [...flags, "--https-address="])
            const options = { ...compression, ...(tls ? { tls, ca: Buffer.from(ca.cert), tlsVerification: true } : {}) }
            yield* publishAll(daemon.tcpPort, options)
            yield* consumeAll(daemon.tcpPort, options)
            const [topic] = yield* Daemon.topics(daemon)
            assert.strictEqual(topic?.message_count, total)
            if (tls) yield* daemon.logged(/upgrading connection to TLS/)
            if ("deflate" in compression) yield* daemon.logged(/upgrading connection to deflate \(level [16]\)/)
            if ("snappy" in compression) yield* daemon.logged(/upgrading connection to snappy/)
          }),
        240_000
      )
    }
  }
})
