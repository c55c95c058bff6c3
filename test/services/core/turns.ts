/**
 * Turns for tests: over whenever long work looks. What happens between two of them is up to the test, so that it shows that
 * others are served before the work is done.
 */
import { Effect } from "effect"
import type { Turns } from "../../../src/services/core/Turns.ts"

export const makeTurns = () => {
  let taken = 0
  let between: Effect.Effect<unknown> = Effect.void
  const turns: Turns = {
    isOver: () => true,
    next: Effect.suspend(() => {
      taken++
      return Effect.asVoid(between)
    })
  }
  return {
    turns,
    /** Turns of others so far. */
    taken: () => taken,
    /** What is done in each turn of others from now on. */
    meanwhile: (effect: Effect.Effect<unknown>) => {
      between = effect
    }
  }
}
