/** The state of a tail, assembled from its events. Pure. */
import type { TailEvent, TailMessage } from "../../protocol/http/admin/AdminLive.ts"

/** The state of a tail. */
export interface TailState {
  /** The channel that the tail consumes; empty before it starts. */
  readonly channel: string
  readonly nodes: ReadonlyArray<string>
  /** The last messages, newest first, at most `maxShown`. */
  readonly messages: ReadonlyArray<TailMessage>
  /** The number of messages left out because they arrived too fast. */
  readonly skipped: number
}

/** The state before the first event. */
export const initial: TailState = { channel: "", nodes: [], messages: [], skipped: 0 }

/** The number of messages kept; older ones are dropped. */
export const maxShown = 100

/** Returns the state after an event. */
export const next = (state: TailState, event: TailEvent): TailState => {
  switch (event._tag) {
    case "Tailing":
      return { ...state, channel: event.channel, nodes: event.nodes }
    case "Message":
      return { ...state, messages: [event, ...state.messages].slice(0, maxShown) }
    case "Skipped":
      return { ...state, skipped: state.skipped + event.count }
    case "Idle":
      return state
  }
}
