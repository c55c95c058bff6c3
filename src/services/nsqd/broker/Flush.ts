/**
 * How messages are written to disk at shutdown, and what happens if that fails.
 */
import { Effect } from "effect"
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import { DaemonState } from "../../core/DaemonState.ts"
import type { NotStored, WaitingMessages } from "./Backlog.ts"

/** Logs the loss of messages and sets the exit status. Messages that were read from disk are not lost. */
export const flushFailed = (name: string, { error, messages }: NotStored): Effect.Effect<void> =>
  messages === 0
    ? Effect.logWarning(`${name}: failed to flush, no messages lost - ${error.message}`)
    : Effect.andThen(
      DaemonState.lose,
      Effect.logError(`${name}: failed to flush - ${error.message}; messages lost: ${messages}`)
    )

/** Writes the messages of a channel that are not on disk. */
export const flushChannel = (
  { name, topic }: { readonly name: string; readonly topic: string },
  backlog: Pick<WaitingMessages, "flush">,
  inFlight: ReadonlyArray<MessageBatch>,
  deferred: ReadonlyArray<MessageBatch>
): Effect.Effect<void> =>
  Effect.matchEffect(backlog.flush([...inFlight, ...deferred]), {
    onSuccess: (memory) =>
      memory + inFlight.length + deferred.length === 0 ? Effect.void : Effect.logInfo(
        `CHANNEL(${name}): flushing ${memory} memory ${inFlight.length} in-flight ${deferred.length} deferred messages to backend`
      ),
    onFailure: (failure) => flushFailed(`CHANNEL(${topic}:${name})`, failure)
  })
