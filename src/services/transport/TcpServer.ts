/**
 * nsqd's TCP listener: every connection to the configured address becomes a client of the broker.
 */
import { Context, Effect, Layer } from "effect"
import { ListenAddresses } from "../ListenAddresses.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import * as ClientLoop from "./ClientLoop.ts"
import { type Listener, Transport } from "./Transport.ts"

export class TcpServer extends Context.Service<TcpServer, Listener>()("effect-nsq/transport/TcpServer") {
  static readonly layer = Layer.effect(
    TcpServer,
    Effect.gen(function*() {
      const { tcpAddress } = yield* NsqdOptions
      const transport = yield* Transport
      const handle = yield* ClientLoop.make
      const listener = yield* transport.listen(tcpAddress, handle)
      yield* Effect.logInfo(`TCP: listening on ${listener.address}`)
      const addresses = yield* ListenAddresses
      addresses.tcpPort = listener.port
      yield* Effect.addFinalizer(() => Effect.logInfo(`TCP: closing ${listener.address}`))
      return listener
    })
  )
}
