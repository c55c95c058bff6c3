/**
 * Checks the ranges of nsqlookupd's options before it listens. NSQ checks nothing here; addresses are checked when they are
 * opened.
 */
import { Duration, Effect } from "effect"
import { type OptionsError, refusedValue } from "../options/OptionsError.ts"
import type { NsqlookupdOptions } from "./NsqlookupdTable.ts"

/** Fails with the first problem. */
export const check = Effect.fnUntraced(function*(
  { inactiveProducerTimeout }: NsqlookupdOptions
): Effect.fn.Return<void, OptionsError> {
  if (!Duration.isPositive(inactiveProducerTimeout)) {
    const message = "--inactive-producer-timeout must be greater than 0, otherwise every producer is hidden"
    return yield* refusedValue(message)
  }
})
