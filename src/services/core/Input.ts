/**
 * Reads the input that has already arrived before a timeout takes effect. After this process was stalled (suspended, stopped by
 * a debugger, blocked by a slow disk or by a long garbage collection), timers fire before sockets are read: messages would time
 * out although their FIN has arrived, and connections would be closed although the client has replied.
 */
import { Effect } from "effect"

/** Returns a value that changes whenever input of a peer is read or executed. */
export type InputMark = () => number

/** The limit of waiting for a peer that never pauses, in turns of the event loop. */
const turnsMax = 128

/**
 * Completes when all input that has arrived from these peers is read and executed: after a turn of the event loop, in which
 * every readable socket is read, that changes none of the marks. Takes one turn if nothing has arrived, at most `turnsMax`.
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
