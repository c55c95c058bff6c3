/**
 * The OpenTelemetry settings of flag and environment, checked. Loaded together with the exporters.
 */
import { Config, ConfigProvider, Data, Effect, Option } from "effect"
import * as NodeId from "../../core/NodeId.ts"
import { version } from "../../core/Version.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"

/**
 * An OpenTelemetry setting is not valid.
 *
 * @since 0.2.0
 * @category errors
 */
export class TelemetryError extends Data.TaggedError("TelemetryError")<{ readonly message: string }> {}

/** The attributes of this daemon in every span and metric. */
export interface Resource {
  /** `undefined` if the environment sets it. */
  readonly serviceName: string | undefined
  readonly attributes: Readonly<Record<string, string>>
}

/** Destination and resource of the export. The exporters read the remaining settings from `provider`. */
export interface TelemetrySettings {
  readonly provider: ConfigProvider.ConfigProvider
  readonly protocol: "http/protobuf" | "http/json"
  readonly resource: Resource
}

const endpointVariables = ["", "TRACES_", "METRICS_"].map((signal) => `OTEL_EXPORTER_OTLP_${signal}ENDPOINT`)

/** Both signals are exported, and an unreachable collector delays the stop by at most 1 second for each. */
const defaults = {
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_METRICS_EXPORTER: "otlp",
  OTEL_EXPORTER_OTLP_TIMEOUT: "1000"
}

/** An empty variable counts as unset. */
const variable = (name: string): Config.Config<string> =>
  Config.map(Config.option(Config.String(name)), Option.getOrElse(() => ""))

const isHttpUrl = (text: string): boolean => /^https?:\/\/./.test(text) && URL.canParse(text)

const resourceOf = (options: NsqdOptions, given: string, serviceName: string): Resource => {
  const names = new Set(given.split(",").map((pair) => pair.slice(0, pair.indexOf("=")).trim()))
  const attributes = {
    "service.version": version,
    "service.instance.id": `${options.broadcastAddress}/${options.nodeId}`,
    "host.name": NodeId.hostname()
  }
  return {
    serviceName: serviceName !== "" || names.has("service.name") ? undefined : "nsqd",
    attributes: Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.has(name)))
  }
}

/** The settings of flag and environment; `undefined` if none names a collector. */
export const settings: Effect.Effect<TelemetrySettings | undefined, TelemetryError> = Effect.gen(function*() {
  const options = yield* NsqdOptions
  const { otlpEndpoint } = options
  const environment = yield* ConfigProvider.ConfigProvider
  const flag = otlpEndpoint === "" ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint }
  const provider = ConfigProvider.fromEnvRecord(flag).pipe(
    ConfigProvider.orElse(environment),
    ConfigProvider.orElse(ConfigProvider.fromEnvRecord(defaults))
  )
  const read = (name: string) => Effect.mapError(variable(name).parse(provider), toTelemetryError)
  const endpoints = yield* Effect.forEach(endpointVariables, read)
  if (endpoints.every((endpoint) => endpoint === "")) return undefined
  const wrong = endpoints.findIndex((endpoint) => endpoint !== "" && !isHttpUrl(endpoint))
  if (wrong >= 0) {
    const name = wrong === 0 && otlpEndpoint !== "" ? "--otlp-endpoint" : endpointVariables[wrong]
    return yield* new TelemetryError({ message: `${name} must be an http or https URL, not "${endpoints[wrong]}"` })
  }
  const protocol = (yield* read("OTEL_EXPORTER_OTLP_PROTOCOL")) || "http/protobuf"
  if (protocol !== "http/protobuf" && protocol !== "http/json") {
    return yield* new TelemetryError({
      message: `OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json, not "${protocol}"`
    })
  }
  const resource = resourceOf(options, yield* read("OTEL_RESOURCE_ATTRIBUTES"), yield* read("OTEL_SERVICE_NAME"))
  return { provider, protocol, resource }
})

/** Converts any error to a `TelemetryError` with its message. */
export const toTelemetryError = (error: unknown): TelemetryError =>
  new TelemetryError({ message: error instanceof Error ? error.message : String(error) })
