import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Places from "../../../src/services/nsqadmin/Places.ts"

const message = "TOO_MANY_TAILS: the limit is 2; raise --max-tails"

describe("places of long responses", () => {
  it.effect("a request beyond the limit is refused until the Scope of an earlier one closes", () =>
    Effect.gen(function*() {
      const take = Places.make(2, message)
      const first = yield* Scope.make()
      yield* Scope.provide(take, first)
      yield* take
      const refusal = yield* Effect.flip(take)
      assert.deepStrictEqual([refusal._tag, refusal.message], ["Unavailable", message])
      // The refused request has taken no place, and so returns none.
      yield* Effect.scoped(Effect.ignore(take))
      yield* Effect.flip(take)
      yield* Scope.close(first, Exit.void)
      yield* take
      yield* Effect.flip(take)
    }))

  it.effect("without a limit no request is refused", () =>
    Effect.gen(function*() {
      for (const max of [0, -1]) {
        const take = Places.make(max, message)
        yield* Effect.replicateEffect(take, 1000, { discard: true })
      }
    }))
})
