/**
 * How an nsqd makes its topics and channels known to consumers and learns of the channels on other nsqds: through the configured
 * nsqlookupds, unless a program replaces it.
 */
import { Context, Effect, Layer } from "effect"
import type { Transport } from "../../net/Transport.ts"
import type { Broker } from "../broker/Broker.ts"
import type { ChannelDirectory } from "../broker/ChannelDirectory.ts"
import * as OptionReads from "../options/OptionReads.ts"
import type { RuntimeOptions } from "../options/RuntimeOptions.ts"
import { KnownLookupds } from "./KnownLookupds.ts"
import * as LookupPeers from "./LookupPeers.ts"

/**
 * The registration of an nsqd with a discovery service.
 *
 * ```ts
 * const logged = Layer.succeed(LookupRegistration, {
 *   directory: { channelsOf: () => undefined },
 *   registration: Layer.effectDiscard(RuntimeOptions.use(({ current }) => current).pipe(Effect.flatMap(Effect.log)))
 * })
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class LookupRegistration extends Context.Service<LookupRegistration, {
  /** The channels that a new topic gets; used from the start of the broker on. */
  readonly directory: ChannelDirectory
  /**
   * Registers the broker's topics until its Scope closes. Built when all listeners accept connections: `RuntimeOptions` has the
   * ports to announce, `Broker.topology` the changes.
   */
  readonly registration: Layer.Layer<never, never, Broker | RuntimeOptions | Transport>
}>()("effect-nsq/lookup/LookupRegistration") {
  /** With the nsqlookupds of `lookupdTcpAddresses`, and the requests to them of the environment. */
  static readonly layerNoDeps: Layer.Layer<LookupRegistration, never, KnownLookupds> = Layer.effect(
    LookupRegistration,
    Effect.gen(function*() {
      yield* OptionReads.read(...OptionReads.ofLookup)
      const known = yield* KnownLookupds
      return {
        directory: known.directory,
        registration: LookupPeers.layer.pipe(Layer.provide(Layer.succeed(KnownLookupds, known)))
      }
    })
  )

  /** With the nsqlookupds of `lookupdTcpAddresses`. */
  static readonly layer: Layer.Layer<LookupRegistration> = LookupRegistration.layerNoDeps.pipe(
    Layer.provide(KnownLookupds.layerNode)
  )

  /** Registers nothing. */
  static readonly layerNone: Layer.Layer<LookupRegistration> = Layer.succeed(LookupRegistration, {
    directory: { channelsOf: () => undefined },
    registration: Layer.empty
  })
}
