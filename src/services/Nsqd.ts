/**
 * The daemon nsqd as one Layer: data directory, storage, broker, listeners, in the order in which NSQ starts them; closing
 * its Scope stops them in the reverse order.
 */
import { Context, Data, Effect, Layer } from "effect"
import { Broker } from "./broker/Broker.ts"
import { Clients } from "./broker/Clients.ts"
import { Publisher } from "./broker/Publisher.ts"
import { NsqdOptions } from "./options/NsqdOptions.ts"
import * as NsqdOptionsCheck from "./options/NsqdOptionsCheck.ts"
import { NsqdStartError } from "./options/NsqdStartError.ts"
import type { RuntimeOptions } from "./options/RuntimeOptions.ts"
import * as Version from "./options/Version.ts"
import { Storage } from "./storage/Storage.ts"
import * as NodeTransport from "./transport/NodeTransport.ts"
import { TcpServer } from "./transport/TcpServer.ts"

/** A running daemon cannot go on. */
export class NsqdFailure extends Data.TaggedError("NsqdFailure")<{ readonly message: string }> {}

const instantiate = <E extends { readonly message: string }>(error: E): NsqdStartError =>
  new NsqdStartError({ stage: "instantiate nsqd", detail: error.message })

const announce = Layer.effectDiscard(Effect.gen(function*() {
  const options = yield* NsqdOptions
  yield* NsqdOptionsCheck.check(options)
  yield* Effect.logInfo(Version.banner("nsqd"))
  yield* Effect.logInfo(`ID: ${options.nodeId}`)
  yield* Effect.addFinalizer(() => Effect.logInfo("NSQ: bye"))
}))

/** A running nsqd. */
export class Nsqd extends Context.Service<Nsqd, {
  /** Reloads what can be reloaded without losing anything, and logs that it did. */
  readonly reload: Effect.Effect<void>
  /** Fails when the daemon cannot go on, for example because its listener broke. */
  readonly failed: Effect.Effect<never, NsqdFailure>
}>()("effect-nsq/Nsqd") {
  static readonly layer: Layer.Layer<Nsqd, NsqdStartError, RuntimeOptions> = Layer.succeed(Nsqd, {
    reload: Effect.logInfo("NSQ: SIGHUP received, there is nothing to reload"),
    failed: Effect.never
  }).pipe(
    Layer.provide(TcpServer.layer.pipe(Layer.catchTag("ListenError", (error) => Layer.effectDiscard(instantiate(error))))),
    Layer.provide(Broker.layer),
    Layer.provide(Publisher.layer),
    Layer.provide(Clients.layer),
    Layer.provide(NodeTransport.layer),
    Layer.provide(Storage.layerMemory),
    Layer.provide(announce)
  ) as never
}
