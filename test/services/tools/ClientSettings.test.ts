import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as ClientSettings from "../../../src/services/tools/ClientSettings.ts"

const parse = (...given: ReadonlyArray<string>) =>
  given.reduce<Result.Result<ClientSettings.ClientSettings, { readonly reason: string }>>(
    (before, text) => Result.flatMap(before, (settings) => ClientSettings.kind.parse(text, settings)),
    Result.succeed(new Map())
  )

const settings = (...given: ReadonlyArray<string>) => Result.getOrThrow(parse(...given))
const refusal = (text: string) => Result.match(parse(text), { onFailure: ({ reason }) => reason, onSuccess: () => "" })

describe("--consumer-opt and --producer-opt", () => {
  it("client options accumulate, accept dashes for underscores, and are true without a value", () => {
    assert.deepStrictEqual(
      [...settings("client-id,me", "snappy", "msg_timeout,1m30s", "max_attempts,7")],
      [["client_id", "me"], ["snappy", true], ["msg_timeout", 90_000], ["max_attempts", 7]]
    )
  })

  it("unknown client options and values out of range are refused", () => {
    assert.strictEqual(refusal("no_such_option,1"), "invalid option no_such_option")
    assert.strictEqual(refusal("sample_rate,100"), "invalid sample_rate ! 100 > 99")
    assert.strictEqual(refusal("low_rdy_timeout,10ms"), "invalid low_rdy_timeout ! 10ms < 1s")
    assert.strictEqual(refusal("deflate_level,0"), "invalid deflate_level ! 0 < 1")
    assert.match(refusal("tls_v1,maybe"), /^invalid tls_v1 /)
  })

  it("max_attempts wraps at 16 bits as in NSQ", () => {
    assert.strictEqual(settings("max_attempts,70000").get("max_attempts"), 4464)
  })

  it.effect("client options become options of the connection and of the consumer", () =>
    Effect.gen(function*() {
      const given = settings("deflate", "deflate_level,9", "sample_rate,42", "max_attempts,0", "max_backoff_duration,0")
      assert.deepStrictEqual(yield* ClientSettings.connectionOptions(given, "tool/1.3.0"), {
        userAgent: "tool/1.3.0",
        compression: "deflate",
        deflateLevel: 9,
        sampleRate: 42
      })
      assert.deepStrictEqual(ClientSettings.consumingOptions(given), { maxAttempts: 0, maxBackoffDuration: 0 })
      const both = yield* Effect.flip(ClientSettings.connectionOptions(settings("deflate", "snappy"), "tool"))
      assert.strictEqual(both.message, "cannot enable both deflate and snappy compression")
    }))

  it.effect("auth_without_tls alone allows the secret without TLS", () =>
    Effect.gen(function*() {
      const allowing = (...given: ReadonlyArray<string>) =>
        Effect.map(
          ClientSettings.connectionOptions(settings("auth_secret,s", ...given), "tool"),
          ({ authWithoutTls }) => authWithoutTls === true
        )
      assert.isTrue(yield* allowing("auth_without_tls,true"))
      assert.isTrue(yield* allowing("auth-without-tls"))
      assert.isFalse(yield* allowing("auth_without_tls,false"))
      assert.isFalse(yield* allowing())
    }))
})
