import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import * as Exposure from "../../../src/services/net/Exposure.ts"

const warnings = Effect.fnUntraced(function*(listeners: ReadonlyArray<Exposure.Exposed>) {
  const lines: Array<unknown> = []
  const keeping = Logger.make<unknown, void>(({ message }) => void lines.push(message))
  yield* Effect.provide(Exposure.warn(listeners), Logger.layer([keeping]).pipe(Layer.fresh))
  return lines.flat()
})

describe("A listener without authentication", () => {
  it.effect("one warning lists all listeners without authentication that other machines can reach", () =>
    Effect.gen(function*() {
      const lines = yield* warnings([
        { name: "TCP", address: "[::]:4150" },
        { name: "HTTP", address: "127.0.0.1:4151" },
        { name: "HTTPS", address: "10.1.2.3:4152" }
      ])
      assert.deepStrictEqual(lines, [
        "no authentication on [::]:4150 (TCP), 10.1.2.3:4152 (HTTPS): every machine that reaches it has full access; " +
        "listen on 127.0.0.1, or see docs/security.md"
      ])
    }))

  it.effect("an address with neither a port nor a slash is warned of: it is a unix socket", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* warnings([{ name: "TCP", address: "nsqd-1" }]), [
        "nsqd-1 (TCP) has no port, so it is a unix socket in the working directory; " +
        "write ./nsqd-1 for a socket, <addr>:<port> for a port"
      ])
    }))

  it.effect("a listener that only this machine can reach causes no warning", () =>
    Effect.gen(function*() {
      const here = ["127.0.0.1:4150", "127.9.9.9:1", "[::1]:4150", "localhost:4150", "/run/nsqd.sock"]
      assert.deepStrictEqual(yield* warnings(here.map((address) => ({ name: "TCP", address }))), [])
    }))
})
