/**
 * What a daemon that stops says of the messages that it writes to disk, and of those that it cannot write.
 */
import { Effect } from "effect"
import { DaemonState } from "../../core/DaemonState.ts"
import type { NotStored } from "./Backlog.ts"
import type { Channel } from "./Channel.ts"

/** The daemon stops without these messages, and says so. What was read from the disk is still there. */
export const flushFailed = (name: string, { error, messages }: NotStored): Effect.Effect<void> =>
  messages === 0
    ? Effect.logWarning(`${name}: failed to flush, nothing is lost - ${error.message}`)
    : Effect.andThen(
      DaemonState.lose,
      Effect.logError(`${name}: failed to flush - ${error.message}; messages lost: ${messages}`)
    )

/** Writes what a channel has only in memory to its disk queue. */
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
