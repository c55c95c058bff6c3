/**
 * OpenTelemetry: spans of operations and the daemon's metrics, sent to a collector over OTLP by Effect's exporters. Off unless
 * `--otlp-endpoint` or the standard environment variables name a collector; everything else about it is loaded only then.
 *
 * Spans are of requests and of changes to topics and channels, never of messages.
 */
import { Cause, Effect, Layer } from "effect"
import process from "node:process"
import type { Broker } from "../broker/Broker.ts"
import type { Clients } from "../broker/Clients.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import type { ProcessMemory } from "../stats/ProcessMemory.ts"
import type { Storage } from "../storage/Storage.ts"
import type { TelemetryError } from "./TelemetrySettings.ts"

/** The two halves of what sends: one has to be there before the broker, one needs it. */
export interface Telemetry {
  /** The Tracer of everything that runs in it. */
  readonly tracing: Layer.Layer<never, TelemetryError>
  /** Sends metrics while the Layer lives. */
  readonly metrics: Layer.Layer<never, TelemetryError, Broker | Clients | Storage | ProcessMemory>
}

const off: Telemetry = { tracing: Layer.empty, metrics: Layer.empty }

const endpointVariable = /^OTEL_EXPORTER_OTLP_(TRACES_|METRICS_)?ENDPOINT$/

/** Says no without loading anything: a daemon that is not watched starts as fast as before. */
const mayBeWanted = ({ otlpEndpoint }: NsqdOptions): boolean =>
  otlpEndpoint !== "" || Object.keys(process.env).some((name) => endpointVariable.test(name))

const load = Effect.gen(function*() {
  const [{ settings, toTelemetryError }, otlp] = yield* Effect.promise(() =>
    Promise.all([import("./TelemetrySettings.ts"), import("./Otlp.ts")])
  )
  const found = yield* settings
  if (found === undefined) return off
  /** Effect's exporters take a setting that makes no sense for a defect. */
  const refuse = <R>(layer: Layer.Layer<never, never, R>): Layer.Layer<never, TelemetryError, R> =>
    Layer.catchCause(layer, (cause) => Layer.effectDiscard(Effect.fail(toTelemetryError(Cause.squash(cause)))))
  return { tracing: refuse(otlp.traces(found)), metrics: refuse(otlp.metrics(found)) }
})

/** What the flag and the environment ask for. */
export const make: Effect.Effect<Telemetry, TelemetryError> = Effect.flatMap(
  NsqdOptions,
  (options) => mayBeWanted(options) ? load : Effect.succeed(off)
)
