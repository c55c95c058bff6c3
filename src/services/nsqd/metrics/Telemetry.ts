/**
 * OpenTelemetry: exports spans of operations and nsqd's metrics to a collector over OTLP with Effect's exporters. Off
 * unless `--otlp-endpoint` or the standard environment variables name a collector; the exporters are loaded only
 * then.
 *
 * Spans cover requests and changes of topics and channels, never messages.
 */
import { Cause, Context, Effect, Layer } from "effect"
import process from "node:process"
import type { Broker } from "../broker/Broker.ts"
import type { Clients } from "../broker/Clients.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import * as OptionReads from "../options/OptionReads.ts"
import type { ProcessMemory } from "../stats/ProcessMemory.ts"
import type { Storage } from "../storage/Storage.ts"
import type { TelemetryError } from "./TelemetrySettings.ts"

interface Parts {
  /** The Tracer for everything that runs with this Layer; built before the broker. */
  readonly tracing: Layer.Layer<never, TelemetryError>
  /** Exports metrics until the Scope closes. */
  readonly metrics: Layer.Layer<never, TelemetryError, Broker | Clients | Storage | ProcessMemory>
}

const off: Parts = { tracing: Layer.empty, metrics: Layer.empty }

const endpointVariable = /^OTEL_EXPORTER_OTLP_(TRACES_|METRICS_)?ENDPOINT$/

/** Decides without loading anything, so that a daemon without telemetry starts as fast as before. */
const mayBeWanted = ({ otlpEndpoint }: NsqdOptions): boolean =>
  otlpEndpoint !== "" || Object.keys(process.env).some((name) => endpointVariable.test(name))

const load = Effect.gen(function*() {
  const [{ settings, toTelemetryError }, otlp] = yield* Effect.promise(() =>
    Promise.all([import("./TelemetrySettings.ts"), import("./Otlp.ts")])
  )
  const found = yield* settings
  if (found === undefined) return off
  /** Effect's exporters die with a defect on an invalid setting; this turns it into an error. */
  const refuse = <R>(layer: Layer.Layer<never, never, R>): Layer.Layer<never, TelemetryError, R> =>
    Layer.catchCause(layer, (cause) => Layer.effectDiscard(Effect.fail(toTelemetryError(Cause.squash(cause)))))
  return { tracing: refuse(otlp.traces(found)), metrics: refuse(otlp.metrics(found)) }
})

/**
 * The export of traces and metrics. `Telemetry.layer` follows the option `otlpEndpoint` and the standard environment variables
 * (docs/operations.md#tracing).
 *
 * @since 0.2.0
 * @category services
 */
export class Telemetry extends Context.Service<Telemetry, Parts>()("effect-nsq/metrics/Telemetry") {
  /** The exporters that the option and the environment configure. Fails if a setting is not valid. */
  static readonly layer: Layer.Layer<Telemetry, TelemetryError> = Layer.effect(
    Telemetry,
    Effect.flatMap(
      OptionReads.read(...OptionReads.ofTelemetry),
      (options) => mayBeWanted(options) ? load : Effect.succeed(off)
    )
  )

  /** Exports nothing. */
  static readonly layerNone: Layer.Layer<Telemetry> = Layer.succeed(Telemetry, off)
}
