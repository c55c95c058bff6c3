import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { type Client, Clients } from "../../../../src/services/nsqd/broker/Clients.ts"

const client: Client = {
  stats: () => assert.fail("stats are not read in this test"),
  settings: () => assert.fail("settings are not read in this test"),
  close: () => {}
}

describe("the list of clients", () => {
  it.effect("a client is listed while its Scope is open, and its statistics are read only on request", () =>
    Effect.gen(function*() {
      const clients = yield* Clients
      const other: Client = { ...client }
      yield* clients.add(other)
      const scope = yield* Scope.make()
      yield* Scope.provide(clients.add(client), scope)
      assert.deepStrictEqual(Array.from(clients.all()), [other, client])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(Array.from(clients.all()), [other])
    }).pipe(Effect.provide(Clients.layer)))
})
