import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { type Client, Clients } from "../../../../src/services/nsqd/broker/Clients.ts"

const client: Client = { stats: () => assert.fail("nobody asked") }

describe("the list of clients", () => {
  it.effect("has a client for as long as its Scope is open, and asks it nothing by itself", () =>
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
