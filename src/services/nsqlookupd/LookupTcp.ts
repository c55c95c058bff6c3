/**
 * nsqlookupd's TCP listener for nsqd.
 */
import { Context, Effect, Layer } from "effect"
import { DaemonState } from "../core/DaemonState.ts"
import { type Listener, Transport } from "../net/Transport.ts"
import * as LookupSession from "./LookupSession.ts"
import { NsqlookupdOptions } from "./NsqlookupdOptions.ts"

/** The TCP listener of nsqlookupd. */
export class LookupTcp extends Context.Service<LookupTcp, Listener>()("effect-nsq/lookup/LookupTcp") {
  static readonly layer = Layer.effect(
    LookupTcp,
    Effect.gen(function*() {
      const { tcpAddress } = yield* NsqlookupdOptions
      const transport = yield* Transport
      const state = yield* DaemonState
      const handle = yield* LookupSession.make
      const listener = yield* transport.listen(tcpAddress, handle)
      state.listening("tcp", listener.port)
      yield* Effect.logInfo(`TCP: listening on ${listener.address}`)
      yield* Effect.addFinalizer(() => Effect.logInfo(`TCP: closing ${listener.address}`))
      return listener
    })
  )
}
