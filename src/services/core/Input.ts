/**
 * What a peer has sent must be heard before its silence counts. After this process stood still (suspended, stopped by a
 * debugger, a slow disk under its code, a long pause of the garbage collector) timers fire before sockets are read: messages
 * would time out although their FIN has arrived, and connections would be closed although the client has replied.
 */
import { Effect } from "effect"

/** Changes whenever something that a peer has sent is read or carried out. */
export type InputMark = () => number

/** A peer that never pauses is waited for no longer than this many turns of the event loop. */
const turnsMax = 128

/**
 * Completes when all that has arrived from these peers has been read and carried out: after a turn of the event loop, in which
 * every readable socket is read, that changes none of the marks. Takes one turn where nothing has arrived.
 */
export const heard = (marks: ReadonlyArray<InputMark>): Effect.Effect<void> =>
  Effect.gen(function*() {
    let before = marks.map((mark) => mark())
    for (let turn = 0; turn < turnsMax; turn++) {
      yield* Effect.yieldNow
      const now = marks.map((mark) => mark())
      if (now.every((value, i) => value === before[i])) return
      before = now
    }
  })
