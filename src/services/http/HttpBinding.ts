/**
 * Opens the listener of an HTTP server. By default it is a socket of the operating system (`NetListener`); `effect-nsq/testing` has
 * one in memory.
 */
import { Context, type Effect, type Scope } from "effect"
import type { Server } from "node:net"
import type { NetError } from "../net/NetError.ts"
import * as NetListener from "../net/NetListener.ts"
import type { Listener } from "../net/Transport.ts"

/**
 * Listens on `host:port`, a unix socket, or the inherited socket of that name, and gives the server the event `connection` for each connection. The caller closes the
 * server before the Scope closes. Fails with the reason `ListenFailure`.
 */
export type Bind = (
  server: Server,
  address: string,
  name: "http" | "https"
) => Effect.Effect<Listener, NetError, Scope.Scope>

/** How HTTP servers listen. Default: on sockets of the operating system. */
export const HttpBinding: Context.Reference<Bind> = Context.Reference("effect-nsq/http/HttpBinding", {
  defaultValue: (): Bind => NetListener.bind
})
