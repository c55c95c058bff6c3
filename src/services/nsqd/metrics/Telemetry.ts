/**
 * OpenTelemetry: exports spans of operations and nsqd's metrics to a collector over OTLP with Effect's exporters. Off
 * unless `--otlp-endpoint` or the standard environment variables name a collector; the exporters are loaded only
 * then.
 *
 * Spans cover requests and changes of topics and channels, never messages.
 */
import { Cause, Effect, Layer } from "effect"
import process from "node:process"
import type { Broker } from "../broker/Broker.ts"
import type { Clients } from "../broker/Clients.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import type { ProcessMemory } from "../stats/ProcessMemory.ts"
import type { Storage } from "../storage/Storage.ts"
import type { TelemetryError } from "./TelemetrySettings.ts"

/** The two parts of the export: tracing starts before the broker, metrics need it. */
export interface Telemetry {
  /** The Tracer for everything that runs with this Layer. */
  readonly tracing: Layer.Layer<never, TelemetryError>
  /** Exports metrics until the Scope closes. */
  readonly metrics: Layer.Layer<never, TelemetryError, Broker | Clients | Storage | ProcessMemory>
}

const off: Telemetry = { tracing: Layer.empty, metrics: Layer.empty }

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

/** The exporters that the flag and the environment configure. */
export const make: Effect.Effect<Telemetry, TelemetryError> = Effect.flatMap(
  NsqdOptions,
  (options) => mayBeWanted(options) ? load : Effect.succeed(off)
)
