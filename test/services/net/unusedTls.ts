/** TLS for brokers on the network in memory, where no client upgrades: only the requirement of TLS is tested. */
import { Effect, Layer } from "effect"
import { NetError, NetErrorReason } from "../../../src/services/net/NetError.ts"
import { ServerTls } from "../../../src/services/net/ServerTls.ts"

const unused = new NetError({ reason: NetErrorReason.HandshakeFailure({ description: "not used" }) })

/** Provides it. */
export const layer: Layer.Layer<never> = Layer.succeed(ServerTls, {
  handshake: () => Effect.fail(unused),
  refusal: () => undefined,
  handshakeFailed: () => unused,
  serverOptions: () => ({}),
  keepCurrent: () => Effect.void,
  reload: Effect.void
})
