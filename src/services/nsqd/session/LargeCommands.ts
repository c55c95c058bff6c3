/**
 * Limits the memory for incomplete commands of all connections together. A connection may buffer the start of a large
 * command only while it holds one of a limited number of permits; other connections are not read from until a permit
 * is free, so that TCP holds back their senders. Small commands need no permit: the number of connections bounds
 * them.
 *
 * Hot path: `isSettled` is called after every read.
 */
import { Effect, type Scope, Semaphore } from "effect"
import type { CommandDecoder } from "../../../protocol/client/CommandDecoder.ts"

/** An incomplete command of at least this size needs a permit. */
export const largeCommandBytes = 256 * 1024
/** With commands of NSQ's default largest size, they buffer at most 320 MiB, and twice that while buffers grow. */
export const maxLargeCommands = 64

/** The permit of one connection. */
export interface Place {
  /** Whether the connection holds a permit exactly if it needs one. */
  readonly isSettled: () => boolean
  /** Takes a permit, in the order of requests, or returns it. */
  readonly settle: Effect.Effect<void>
}

/** Creates the permit of a connection from its decoder; it is returned when the connection's Scope closes. */
export const make = Effect.map(
  Semaphore.make(maxLargeCommands),
  (places) =>
    Effect.fnUntraced(function*(decoder: CommandDecoder): Effect.fn.Return<Place, never, Scope.Scope> {
      let isHeld = false
      const take = Effect.uninterruptibleMask((restore) =>
        Effect.map(restore(places.take(1)), () => {
          isHeld = true
        })
      )
      const giveBack = Effect.suspend(() => {
        if (!isHeld) return Effect.void
        isHeld = false
        return Effect.asVoid(places.release(1))
      })
      yield* Effect.addFinalizer(() => giveBack)
      return {
        isSettled: () => decoder.buffered >= largeCommandBytes === isHeld,
        settle: Effect.suspend(() => isHeld ? giveBack : take)
      }
    })
)
