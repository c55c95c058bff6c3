import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as NsqToNsq from "../../../src/services/tools/NsqToNsq.ts"
import * as Tail from "../../../src/services/tools/Tail.ts"
import * as ToFile from "../../../src/services/tools/ToFile.ts"
import * as ToHttp from "../../../src/services/tools/ToHttp.ts"
import { MemoryTransport } from "../../../src/testing/index.ts"
import * as FakeNsqd from "../client/fakeNsqd.ts"
import { layer as memoryFiles } from "./memoryFiles.ts"

const layer = Layer.mergeAll(MemoryTransport.layer, memoryFiles, FetchHttpClient.layer)

const from = { nsqdTcpAddresses: ["a:1"], consumerOpt: new Map([["auth_secret", "wrong"]]) }

const utilities = {
  nsq_tail: Tail.main({ ...Tail.defaults(), ...from, topics: ["t"] }),
  nsq_to_file: ToFile.main({ ...ToFile.defaults(), ...from, topics: ["t"] }),
  nsq_to_http: ToHttp.main({ ...ToHttp.defaults(), ...from, topic: "t", post: ["http://a/"] }),
  nsq_to_nsq: NsqToNsq.main({
    ...NsqToNsq.defaults(),
    ...from,
    topics: ["t"],
    destinationNsqdTcpAddresses: ["a:1"]
  })
}

for (const [name, utility] of Object.entries(utilities)) {
  describe(name, () => {
    it.effect("the tool ends at once with the reason when a configured nsqd refuses its secret", () =>
      Effect.gen(function*() {
        const server = yield* FakeNsqd.make("a:1", { silent: false })
        server.refuseSecrets("E_UNAUTHORIZED AUTH no authorizations found")
        assert.strictEqual(
          (yield* Effect.flip(Effect.scoped(utility))).message,
          "a:1: Error authenticating - E_UNAUTHORIZED AUTH no authorizations found"
        )
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.effect("the tool ends when a configured nsqd does not complete the handshake", () =>
      Effect.gen(function*() {
        yield* FakeNsqd.make("a:1", { silent: true })
        const running = yield* Effect.forkScoped(Effect.flip(Effect.scoped(utility)))
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Fiber.join(running)).message, "a:1: the handshake timed out after 5s")
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })
}
