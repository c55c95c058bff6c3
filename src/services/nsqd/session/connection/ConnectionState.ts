/**
 * The states of a client connection, and which of them a command needs. NSQ's rules:
 * docs/protocol/client.md#states. `Session` changes the state by named transitions.
 */
import type { Membership } from "../../broker/Broker.ts"
import { ClientState } from "../../broker/Clients.ts"

export type ConnectionState =
  /** The client has not subscribed: it may identify itself, and publish. */
  | { readonly _tag: "Init" }
  /** The client consumes a channel. */
  | { readonly _tag: "Subscribed"; readonly membership: Membership }
  /** The client gets no more messages after CLS, and may still respond to those in flight. */
  | { readonly _tag: "Closing"; readonly membership: Membership }

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
