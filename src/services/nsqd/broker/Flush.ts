/**
 * Writes messages to disk at shutdown, and logs those that cannot be written.
 */
import { Effect } from "effect"
import { DaemonState } from "../../core/DaemonState.ts"
import type { NotStored } from "./Backlog.ts"
import type { Channel } from "./Channel.ts"

/** Logs the loss of messages and sets the exit status. Messages that were read from disk are not lost. */
export const flushFailed = (name: string, { error, messages }: NotStored): Effect.Effect<void> =>
  messages === 0
    ? Effect.logWarning(`${name}: failed to flush, no messages lost - ${error.message}`)
    : Effect.andThen(
      DaemonState.lose,
      Effect.logError(`${name}: failed to flush - ${error.message}; messages lost: ${messages}`)
    )

/** Writes the messages of a channel that are only in memory to its disk queue. */
export const flushChannel = (channel: Channel): Effect.Effect<void> =>
  channel.flush.pipe(
    Effect.tap(({ deferred, inFlight, memory }) =>
      memory + inFlight + deferred === 0 ? Effect.void : Effect.logInfo(
        `CHANNEL(${channel.name}): flushing ${memory} memory ${inFlight} in-flight ${deferred} deferred messages to backend`
      )
    ),
    Effect.catch((failure) => flushFailed(`CHANNEL(${channel.topic}:${channel.name})`, failure)),
    Effect.asVoid
  )
