/**
 * The states of a client connection (docs/protocol/client.md#states). `Session` has a method for each transition.
 */
import { ClientState } from "../../broker/Clients.ts"
import type { Subscription } from "../../broker/Subscription.ts"

/** The state of a client connection. */
export type ConnectionState =
  /** Before SUB: the client may identify itself and publish. */
  | { readonly _tag: "Init" }
  /** The client consumes a channel. */
  | { readonly _tag: "Subscribed"; readonly subscription: Subscription }
  /** After CLS: no messages are delivered, and the client may still acknowledge those in flight. */
  | { readonly _tag: "Closing"; readonly subscription: Subscription }

export type StateName = ConnectionState["_tag"]

export const init: ConnectionState = { _tag: "Init" }

/** Every state, for commands that are always permitted. */
export const everyState: ReadonlyArray<StateName> = ["Init", "Subscribed", "Closing"]

/** NSQ's number for a state, as `/stats` shows it. */
export const numbers: { readonly [S in StateName]: ClientState } = {
  Init: ClientState.init,
  Subscribed: ClientState.subscribed,
  Closing: ClientState.closing
}
