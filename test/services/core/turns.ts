/**
 * Turns for tests, which are over whenever long work checks them. The test decides what runs between two of them, and so shows
 * that other work is served before the long work is done.
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
    /** Returns the number of turns that other work has had. */
    taken: () => taken,
    /** Sets the effect that runs in each further turn of other work. */
    meanwhile: (effect: Effect.Effect<unknown>) => {
      between = effect
    }
  }
}
