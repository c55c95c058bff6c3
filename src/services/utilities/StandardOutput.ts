/**
 * Standard output of the utilities.
 */
import { Effect } from "effect"
import process from "node:process"

/**
 * Completes once standard output has taken the bytes, so that a slow reader slows down whoever prints. Never does when nobody
 * reads any more: what was not printed does not count as printed, and the program ends.
 */
export const print = (bytes: Buffer | string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    process.stdout.write(bytes, (error) => {
      if (error === null || error === undefined) resume(Effect.void)
    })
  })
