import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { ProtocolClient, TestBroker } from "../../../../src/testing/index.ts"
import { identify, sized } from "./secureClient.ts"

vi.mock("snappy", () => {
  throw new Error("no native code for this machine")
})

describe("snappy on a machine that has no native code for it", () => {
  it.effect("snappy without native code is refused to the client that requests it, and others continue", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connect(TestBroker.address)
      yield* client.raw(identify({ snappy: true }))
      assert.match((yield* client.text) ?? "", /"snappy":true/)
      assert.match((yield* client.text) ?? "", /^E_IDENTIFY_FAILED IDENTIFY failed snappy is not available - /)
      assert.isUndefined(yield* client.text)
      const other = yield* ProtocolClient.connect(TestBroker.address)
      yield* other.raw(Buffer.concat([Buffer.from("PUB t\n"), sized("x")]))
      assert.strictEqual(yield* other.text, "OK")
    }).pipe(Effect.provide(TestBroker.layer())))
})
