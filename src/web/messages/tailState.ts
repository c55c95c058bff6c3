/** What a tail has shown so far. Pure. */
import type { TailEvent, TailMessage } from "../../protocol/http/admin/AdminLive.ts"

export interface TailState {
  /** The channel it reads by; empty before it has begun. */
  readonly channel: string
  readonly nodes: ReadonlyArray<string>
  /** The newest first. */
  readonly messages: ReadonlyArray<TailMessage>
  /** How many were not shown because they came too fast. */
  readonly skipped: number
}

export const initial: TailState = { channel: "", nodes: [], messages: [], skipped: 0 }

/** Older messages are forgotten. */
export const maxShown = 100

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
