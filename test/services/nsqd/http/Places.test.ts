import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, References } from "effect"
import * as Places from "../../../../src/services/nsqd/http/Places.ts"

describe("places", () => {
  it.effect("as many are taken at once as there are, and each is free again when its Scope closes", () =>
    Effect.gen(function*() {
      const take = Places.make(2, "TOO_MANY")
      const three = Effect.andThen(take, Effect.andThen(take, take))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(three))))
      yield* Effect.scoped(Effect.andThen(take, take))
      yield* Effect.scoped(Effect.andThen(take, take))
    }))

  it.effect("an interrupt at any step leaves no place taken", () =>
    Effect.gen(function*() {
      const take = Places.make(1, "TOO_MANY")
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
