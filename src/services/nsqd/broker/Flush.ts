/**
 * The failure to write messages to disk at shutdown.
 */
import { Effect } from "effect"
import { DaemonState } from "../../core/DaemonState.ts"
import type { NotStored } from "./Backlog.ts"

/** Logs the loss of messages and sets the exit status. Messages that were read from disk are not lost. */
export const flushFailed = (name: string, { error, messages }: NotStored): Effect.Effect<void> =>
  messages === 0
    ? Effect.logWarning(`${name}: failed to flush, no messages lost - ${error.message}`)
    : Effect.andThen(
      DaemonState.lose,
      Effect.logError(`${name}: failed to flush - ${error.message}; messages lost: ${messages}`)
    )
