/**
 * Which daemons a cluster is known by: HTTP addresses of nsqlookupds, which name the nsqds, or of the nsqds themselves. The
 * nsqlookupds can be changed while it runs.
 */
import { Context, Effect, Layer, Ref } from "effect"

/** `host:port` each; one of the two is empty. */
export interface Sources {
  readonly lookupd: ReadonlyArray<string>
  readonly nsqd: ReadonlyArray<string>
}

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
