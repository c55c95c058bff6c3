/** The end of a program that writes to standard output. */
import { Effect } from "effect"
import process from "node:process"

/** Completes when standard output has taken everything: a pipe may be behind, and `process.exit` would cut the rest off. */
export const flushed: Effect.Effect<void> = Effect.callback((resume) => {
  process.stdout.write("", () => resume(Effect.void))
})
