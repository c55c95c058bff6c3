import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, References, Scope } from "effect"
import * as Places from "../../../src/services/core/Places.ts"

describe("places", () => {
  it.effect("a request beyond the limit is refused until the Scope of an earlier one closes", () =>
    Effect.gen(function*() {
      const take = Places.make(2, () => "TOO_MANY")
      const first = yield* Scope.make()
      yield* Scope.provide(take, first)
      yield* take
      assert.strictEqual(yield* Effect.flip(take), "TOO_MANY")
      // The refused request has taken no place, and so returns none.
      yield* Effect.scoped(Effect.ignore(take))
      yield* Effect.flip(take)
      yield* Scope.close(first, Exit.void)
      yield* take
      yield* Effect.flip(take)
    }))

  it.effect("without a limit no request is refused", () =>
    Effect.gen(function*() {
      for (const most of [0, -1]) {
        const take = Places.make(most, () => "TOO_MANY")
        yield* Effect.replicateEffect(take, 1000, { discard: true })
      }
    }))

  it.effect("an interrupt at any step leaves no place taken", () =>
    Effect.gen(function*() {
      const take = Places.make(1, () => "TOO_MANY")
      // Fibers that let others run after every few operations end there.
      for (let operations = 3; operations < 20; operations++) {
        for (let steps = 0; steps < 6; steps++) {
          const fiber = yield* Effect.forkChild(
            Effect.provideService(
              Effect.scoped(Effect.andThen(take, Effect.never)),
              References.MaxOpsBeforeYield,
              operations
            )
          )
          for (let step = 0; step < steps; step++) yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
          yield* Effect.scoped(take)
        }
      }
    }))
})
