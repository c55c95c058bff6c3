/**
 * The daemons through which nsqadmin discovers a cluster: HTTP addresses of nsqlookupds, which list the nsqds, or of the nsqds
 * themselves. The nsqlookupds can change at run time (docs/protocol/http.md#configuration-of-nsqadmin).
 */
import { Context, Effect, Layer, Ref } from "effect"

/** HTTP addresses, `host:port` each. One of the two lists is empty. */
export interface Sources {
  readonly lookupd: ReadonlyArray<string>
  readonly nsqd: ReadonlyArray<string>
}

/** The current addresses. */
export class ClusterSources extends Context.Service<ClusterSources, {
  readonly current: Effect.Effect<Sources>
  readonly setLookupds: (addresses: ReadonlyArray<string>) => Effect.Effect<void>
}>()("effect-nsq/cluster/ClusterSources") {
  static readonly layer = (initial: Sources): Layer.Layer<ClusterSources> =>
    Layer.effect(
      ClusterSources,
      Effect.map(Ref.make(initial), (ref) =>
        ClusterSources.of({
          current: Ref.get(ref),
          setLookupds: (lookupd) => Ref.update(ref, (sources) => ({ ...sources, lookupd }))
        }))
    )
}
