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
export class Place {
  private readonly decoder: CommandDecoder
  private readonly permits: Semaphore.Semaphore
  private isHeld = false

  constructor(decoder: CommandDecoder, permits: Semaphore.Semaphore) {
    this.decoder = decoder
    this.permits = permits
  }

  /** Whether the connection holds a permit exactly if it needs one. */
  isSettled(): boolean {
    return this.decoder.buffered >= largeCommandBytes === this.isHeld
  }

  /** Takes a permit, in the order of requests, or returns it. */
  get settle(): Effect.Effect<void> {
    return Effect.suspend(() => this.isHeld ? this.giveBack : this.take)
  }

  private get take(): Effect.Effect<void> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.map(restore(this.permits.take(1)), () => {
        this.isHeld = true
      })
    )
  }

  /** Returns the permit, if the connection holds one. */
  get giveBack(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.isHeld) return Effect.void
      this.isHeld = false
      return Effect.asVoid(this.permits.release(1))
    })
  }
}

/** Creates the permit of a connection from its decoder; it is returned when the connection's Scope closes. */
export const make = Effect.map(
  Semaphore.make(maxLargeCommands),
  (permits) =>
    Effect.fnUntraced(function*(decoder: CommandDecoder): Effect.fn.Return<Place, never, Scope.Scope> {
      const place = new Place(decoder, permits)
      yield* Effect.addFinalizer(() => place.giveBack)
      return place
    })
)
