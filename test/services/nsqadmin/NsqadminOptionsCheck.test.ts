import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { check as checkAll, defaults, type NsqadminOptions } from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import { normalizeBasePath } from "../../../src/services/nsqadmin/NsqadminOptionsCheck.ts"
import * as Certificates from "../net/certificates.ts"

const lookupd = { lookupdHttpAddresses: ["127.0.0.1:4161"] }

const check = (options: Partial<NsqadminOptions>) => checkAll({ ...defaults(), ...options })

const refusal = (options: Partial<NsqadminOptions>) =>
  Effect.map(Effect.flip(check({ ...lookupd, ...options })), ({ message }) => message)

describe("NsqadminOptionsCheck", () => {
  it.live("the options require the addresses of either nsqlookupds or nsqds, with host names that resolve", () =>
    Effect.gen(function*() {
      const none = yield* Effect.flip(check({}))
      assert.strictEqual(none.message, "--nsqd-http-address or --lookupd-http-address required")
      assert.strictEqual(
        yield* refusal({ nsqdHttpAddresses: ["a:1"] }),
        "use --nsqd-http-address or --lookupd-http-address not both"
      )
      const resolve = "failed to resolve --lookupd-http-address"
      assert.strictEqual(
        yield* refusal({ lookupdHttpAddresses: ["127.0.0.1"] }),
        `${resolve} (127.0.0.1) - address 127.0.0.1: missing port in address`
      )
      assert.strictEqual(
        yield* refusal({ lookupdHttpAddresses: ["http://a:1"] }),
        `${resolve} (http://a:1) - address http://a:1: too many colons in address`
      )
      const unknown = yield* refusal({ lookupdHttpAddresses: ["no-such-host.invalid:4161"] })
      assert.include(unknown, `${resolve} (no-such-host.invalid:4161) - `)
    }))

  it.live("a client certificate requires its key, and both must be readable", () =>
    Effect.gen(function*() {
      const { caFile, directory, options: { tlsCert, tlsKey } } = yield* Certificates.files
      const given = { httpClientTlsCert: tlsCert, httpClientTlsKey: tlsKey }
      assert.strictEqual(
        yield* refusal({ httpClientTlsCert: "a" }),
        "--http-client-tls-key must be specified with --http-client-tls-cert"
      )
      assert.strictEqual(
        yield* refusal({ httpClientTlsKey: "a" }),
        "--http-client-tls-cert must be specified with --http-client-tls-key"
      )
      assert.include(
        yield* refusal({ ...given, httpClientTlsKey: `${directory}/none` }),
        `failed to LoadX509KeyPair ${tlsCert}, ${directory}/none - `
      )
      assert.include(
        yield* refusal({ httpClientTlsRootCaFile: `${directory}/none` }),
        `failed to read TLS root CA file ${directory}/none - `
      )
      assert.strictEqual(
        yield* refusal({ httpClientTlsRootCaFile: tlsKey }),
        `failed to AppendCertsFromPEM ${tlsKey}`
      )
      const { tls } = yield* check({ ...lookupd, ...given, httpClientTlsRootCaFile: caFile })
      assert.match(`${tls.cert} ${tls.key} ${tls.ca}`, /CERTIFICATE.*PRIVATE KEY.*CERTIFICATE/s)
      assert.isTrue(tls.rejectUnauthorized)
    }))

  it.live("invalid URLs, networks and intervals are refused", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({ allowConfigFromCidr: "10.0.0.0" }),
        "failed to parse --allow-config-from-cidr (10.0.0.0) - invalid CIDR address: 10.0.0.0"
      )
      assert.match(yield* refusal({ graphiteUrl: "graphite:80" }), /^failed to parse --graphite-url \(graphite:80\)/)
      assert.match(yield* refusal({ proxyGraphite: true }), /^failed to parse --graphite-url \(\)/)
      assert.match(yield* refusal({ notificationHttpEndpoint: "x" }), /^failed to parse --notification-http-endpoint/)
      assert.match(yield* refusal({ statsdInterval: Duration.millis(500) }), /^--statsd-interval/)
      assert.match(yield* refusal({ sampleInterval: Duration.zero }), /^--sample-interval/)
    }))

  it("the base path is normalized", () => {
    const forms = ["/", "", "nsq/", "/a/b/", "a/./b/../c", "../.."]
    assert.deepStrictEqual(forms.map(normalizeBasePath), ["", "", "/nsq", "/a/b", "/a/c", ""])
  })
})
