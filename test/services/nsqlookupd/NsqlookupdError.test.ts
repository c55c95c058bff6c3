/** The reasons and FATAL lines of an nsqlookupd that does not start. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { Nsqlookupd } from "../../../src/services/nsqlookupd/Nsqlookupd.ts"
import type { NsqlookupdOptions } from "../../../src/services/nsqlookupd/NsqlookupdOptions.ts"

const free = { tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0" }

const failure = (options: Partial<NsqlookupdOptions>) =>
  Effect.scoped(Effect.flip(Layer.build(Nsqlookupd.layerWith({ ...free, ...options }))))

describe("an nsqlookupd that does not start", () => {
  it.live("an invalid option is named", () =>
    Effect.gen(function*() {
      const { message, reason } = yield* failure({ inactiveProducerTimeout: Duration.zero })
      assert.strictEqual(reason._tag, "InvalidOption")
      assert.match(message, /^failed to instantiate nsqlookupd - --inactive-producer-timeout must be greater than 0/)
    }))

  it.live("an address that cannot be listened on is named", () =>
    Effect.gen(function*() {
      const { message, reason } = yield* failure({ httpAddress: "127.0.0.1:65536" })
      assert.strictEqual(reason._tag, "ListenFailure")
      assert.match(message, /^failed to instantiate nsqlookupd - listen \(127\.0\.0\.1:65536\) failed - /)
    }))
})
