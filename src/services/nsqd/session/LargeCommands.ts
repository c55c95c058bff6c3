/**
 * Bounds the memory that unfinished commands of all connections take together. A connection may hold the beginning of a
 * large command only while it has one of a limited number of places; the others are not read from until a place is free, so
 * their bytes stay with their senders. Small commands need no place: they are bounded by the number of connections.
 *
 * Hot path: `isSettled` is asked after every read.
 */
import { Effect, type Scope, Semaphore } from "effect"
import type { CommandDecoder } from "../../../protocol/client/CommandDecoder.ts"

/** From this size on, an unfinished command needs a place. */
export const largeCommandBytes = 256 * 1024
/** With commands of NSQ's default largest size the places hold 320 MiB, as much again while buffers grow. */
export const maxLargeCommands = 64

/** One connection's need of a place. */
export interface Place {
  /** Whether the connection has a place if it needs one, and none otherwise. */
  readonly isSettled: () => boolean
  /** Takes a place, in the order of asking, or gives it back. */
  readonly settle: Effect.Effect<void>
}

/** What gives each connection, by its decoder, its place; the place is given back when the connection's Scope closes. */
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
