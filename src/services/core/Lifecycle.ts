/**
 * Where a daemon is between its start and its end, for whoever asks whether it is ready. The daemon alone changes it.
 */
import { Context, Layer } from "effect"

interface Phase {
  /** Running: everything stored is restored and every listener accepts. */
  phase: "starting" | "running" | "stopping"
}

export class Lifecycle extends Context.Service<Lifecycle, Phase>()("effect-nsq/Lifecycle") {
  static readonly layer: Layer.Layer<Lifecycle> = Layer.sync(Lifecycle, (): Phase => ({ phase: "starting" }))
}
