/**
 * The exporters behind `Telemetry`: Effect's OTLP exporters over HTTP. Loaded only if a collector is configured.
 */
import { ConfigProvider, Duration, Effect, Layer, Metric } from "effect"
import { OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"
import * as HttpClients from "../../http/HttpClients.ts"
import { Broker } from "../broker/Broker.ts"
import { Clients } from "../broker/Clients.ts"
import { ProcessMemory } from "../stats/ProcessMemory.ts"
import { Storage } from "../storage/Storage.ts"
import * as NsqdMetrics from "./NsqdMetrics.ts"
import type { TelemetrySettings } from "./TelemetrySettings.ts"

const connectTimeout = Duration.seconds(10)

const sending = ({ protocol, provider }: TelemetrySettings) =>
  Layer.mergeAll(
    protocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf,
    HttpClients.layer({ httpClientConnectTimeout: connectTimeout }),
    ConfigProvider.layer(provider)
  )

/** Exports the spans of everything that runs with this Layer. */
export const traces = (settings: TelemetrySettings): Layer.Layer<never> =>
  Layer.provide(OtlpTracer.layerFromConfig({ resource: settings.resource }), sending(settings))

/** A registry that collects its entries anew at each iteration: once per export. */
class LiveRegistry extends Map<string, Metric.Metric.Metadata<unknown, unknown>> {
  private readonly read: () => Metric.MetricRegistry

  constructor(read: () => Metric.MetricRegistry) {
    super()
    this.read = read
  }

  override values() {
    return this.read().values()
  }
}

/** The daemon's metrics, and those that the embedding program keeps with Effect. */
const liveRegistry = Effect.gen(function*() {
  const broker = yield* Broker
  const clients = yield* Clients
  const memory = yield* ProcessMemory
  const storage = yield* Storage
  const programs = yield* Metric.MetricRegistry
  const context = yield* Effect.context<never>()
  return new LiveRegistry(() => {
    // The exporter calls synchronously, and the health of the storage is known without waiting.
    const health = Effect.runSyncWith(context)(storage.health)
    const all = NsqdMetrics.collect({ broker, clients, memory, health }, NsqdMetrics.usualChoice)
    for (const [key, entry] of programs) all.set(`program ${key}`, entry)
    return all
  })
})

/** Exports metrics until the Scope closes, and once more then. */
export const metrics = (
  settings: TelemetrySettings
): Layer.Layer<never, never, Broker | Clients | Storage | ProcessMemory> =>
  OtlpMetrics.layerFromConfig({ resource: settings.resource }).pipe(
    Layer.provide(Layer.mergeAll(sending(settings), Layer.effect(Metric.MetricRegistry, liveRegistry)))
  )
