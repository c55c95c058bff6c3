import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"

const options = (changes: Partial<NsqdOptions.NsqdOptions>) => ({ ...NsqdOptions.defaults(), ...changes })
const refusal = (changes: Partial<NsqdOptions.NsqdOptions>) =>
  Effect.map(Effect.flip(NsqdOptions.check(options(changes))), ({ message }) => message)

const tls = { tlsCert: "cert.pem", tlsKey: "key.pem" }

describe("NsqdOptionsCheck", () => {
  it.effect("NSQ's defaults and the ends of each range are valid", () =>
    Effect.gen(function*() {
      for (
        const changes of [
          {},
          { nodeId: 0 },
          { nodeId: 1023 },
          { maxDeflateLevel: 1 },
          { maxDeflateLevel: 9 },
          { e2eProcessingLatencyPercentiles: [1, 0.001] },
          { authHttpRequestMethod: "post" }
        ]
      ) yield* NsqdOptions.check(options(changes))
    }))

  it.effect("values out of range are refused with NSQ's texts", () =>
    Effect.gen(function*() {
      for (const maxDeflateLevel of [0, 10]) {
        assert.strictEqual(yield* refusal({ maxDeflateLevel }), "--max-deflate-level must be [1,9]")
      }
      for (const nodeId of [-1, 1024]) {
        assert.strictEqual(yield* refusal({ nodeId }), "--node-id must be [0,1024)")
      }
      for (const authHttpRequestMethod of ["put", "GET", ""]) {
        const text = "--auth-http-request-method must be post or get"
        assert.strictEqual(yield* refusal({ authHttpRequestMethod }), text)
      }
      for (const percentile of [1.5, 0, NaN]) {
        assert.strictEqual(
          yield* refusal({ e2eProcessingLatencyPercentiles: [0.5, percentile] }),
          `invalid E2E processing latency percentile: ${percentile}`
        )
      }
    }))

  it.effect("TLS that is required contradicts a missing certificate or key", () =>
    Effect.gen(function*() {
      const requirements: ReadonlyArray<Partial<NsqdOptions.NsqdOptions>> = [
        { tlsRequired: true },
        { tlsRequired: "tcp-https" },
        { tlsClientAuthPolicy: "require" }
      ]
      const text = "cannot require TLS client connections without TLS key and cert"
      for (const required of requirements) {
        assert.strictEqual(yield* refusal(required), text)
        assert.strictEqual(yield* refusal({ ...required, tlsCert: tls.tlsCert }), text)
        assert.strictEqual(yield* refusal({ ...required, tlsKey: tls.tlsKey }), text)
        yield* NsqdOptions.check(options({ ...required, ...tls }))
      }
    }))

  it.effect("the interval of pushes to statsd must be positive if there is a statsd", () =>
    Effect.gen(function*() {
      const never = { statsdInterval: Duration.zero }
      yield* NsqdOptions.check(options(never))
      const text = "--statsd-interval must be greater than 0"
      assert.strictEqual(yield* refusal({ ...never, statsdAddress: "a:8125" }), text)
    }))

  it.effect("the networks of other daemons must be CIDR, and become a rule for addresses", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({ allowedDaemonNetworks: ["10.0.0.0/8", "10.0.0/8"] }),
        "failed to parse --allowed-daemon-networks - invalid CIDR address: 10.0.0/8"
      )
      const { daemonNetworks } = yield* NsqdOptions.check(options({ allowedDaemonNetworks: ["10.0.0.0/8"] }))
      assert.deepStrictEqual(yield* daemonNetworks.resolve("10.1.2.3:4160", "remote"), ["10.1.2.3:4160"])
      const { reason } = yield* Effect.flip(daemonNetworks.resolve("11.1.2.3:4160", "remote"))
      assert.strictEqual(reason._tag, "AddressRefusal")
    }))

  it("a client certificate policy implies TLS, and tcp-https leaves plain HTTP open", () => {
    const cases: ReadonlyArray<readonly [Partial<NsqdOptions.NsqdOptions>, tcp: boolean, http: boolean]> = [
      [{}, false, false],
      [{ tlsRequired: true }, true, true],
      [{ tlsRequired: "tcp-https" }, true, false],
      [{ tlsClientAuthPolicy: "require-verify" }, true, true]
    ]
    for (const [changes, tcp, http] of cases) {
      assert.strictEqual(NsqdOptions.isTlsRequired(options(changes)), tcp)
      assert.strictEqual(NsqdOptions.isPlainHttpRefused(options(changes)), http)
    }
  })
})
