/**
 * The options of a running nsqd, as `/config/:opt` reads and changes them (docs/protocol/http.md#config). Only the
 * log level and the nsqlookupd addresses can be changed; changes are not saved.
 */
import { Context, Effect, Layer, Result, Schema, type Stream, SubscriptionRef } from "effect"
import { LogThreshold } from "../../logging/LogThreshold.ts"
import * as Kind from "../../options/OptionKind.ts"
import * as Options from "./NsqdOptions.ts"
import { RuntimeOptionsError, RuntimeOptionsErrorReason } from "./RuntimeOptionsError.ts"

const unknownOption = (key: string): RuntimeOptionsError =>
  new RuntimeOptionsError({ reason: RuntimeOptionsErrorReason.UnknownOption({ key }) })

const invalidValue = (key: string): RuntimeOptionsError =>
  new RuntimeOptionsError({ reason: RuntimeOptionsErrorReason.InvalidValue({ key }) })

/** The ports in use; `undefined` for a unix socket or a disabled listener. */
export interface ListeningPorts {
  readonly tcp: number | undefined
  readonly http: number | undefined
}

const AddressList = Schema.fromJsonString(Schema.NullOr(Schema.Array(Schema.String)))
const decodeAddressList = Schema.decodeUnknownResult(AddressList)

const portOr = (option: number, port: number | undefined): number => option === 0 ? port ?? 0 : option

/** Replaces `%s` in the statsd prefix by the host and ensures a final dot. */
export const expandStatsdPrefix = (prefix: string, address: string, port: number): string => {
  if (prefix === "") return ""
  const host = (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`).replaceAll(/[.:]/g, "_")
  const expanded = prefix.replaceAll("%s", () => host)
  return expanded.endsWith(".") ? expanded : `${expanded}.`
}

/**
 * The options of a running nsqd.
 *
 * @since 0.2.0
 * @category services
 */
export class RuntimeOptions extends Context.Service<RuntimeOptions, {
  /** The current options. */
  readonly current: Effect.Effect<Options.NsqdOptions>
  /** The current options, then the options after each change. */
  readonly changes: Stream.Stream<Options.NsqdOptions>
  /** Returns the value of a config key, as `GET /config/:opt` shows it. Fails with the reason `UnknownOption`. */
  readonly get: (key: string) => Effect.Effect<Kind.ConfigValue, RuntimeOptionsError>
  /**
   * Changes an option and returns its new value. A new log level applies from the next line. Fails with the reasons
   * `UnknownOption` and `InvalidValue`.
   */
  readonly put: (key: string, body: string) => Effect.Effect<Kind.ConfigValue, RuntimeOptionsError>
  /** Sets the announced ports and the statsd prefix, which depend on the ports in use. */
  readonly listening: (ports: ListeningPorts) => Effect.Effect<void>
}>()("effect-nsq/options/RuntimeOptions") {
  /** Starts with the options of `NsqdOptions`. */
  static readonly layer: Layer.Layer<RuntimeOptions> = Layer.effect(
    RuntimeOptions,
    Effect.gen(function*() {
      const threshold = yield* LogThreshold
      const ref = yield* SubscriptionRef.make(yield* Options.NsqdOptions)

      const get = Effect.fnUntraced(function*(key: string) {
        const value = Options.renderConfigValue(SubscriptionRef.getUnsafe(ref), key)
        return value ?? (yield* unknownOption(key))
      })

      const putLogLevel = Effect.fnUntraced(function*(key: string, body: string) {
        const level = Kind.logLevel.parse(body, undefined)
        if (Result.isFailure(level)) return yield* invalidValue(key)
        threshold.set(level.success)
        yield* SubscriptionRef.update(ref, (options) => ({ ...options, logLevel: level.success }))
      })

      const putLookupds = Effect.fnUntraced(function*(key: string, body: string) {
        const addresses = decodeAddressList(body)
        if (Result.isFailure(addresses)) return yield* invalidValue(key)
        yield* SubscriptionRef.update(ref, (options) => ({
          ...options,
          lookupdTcpAddresses: addresses.success ?? []
        }))
      })

      const put = Effect.fnUntraced(function*(key: string, body: string) {
        if (key === Options.table.logLevel.key) yield* putLogLevel(key, body)
        else if (key === Options.table.lookupdTcpAddresses.key) yield* putLookupds(key, body)
        else return yield* unknownOption(key)
        return yield* get(key)
      })

      const listening = (ports: ListeningPorts) =>
        SubscriptionRef.update(ref, (options) => {
          const broadcastHttpPort = portOr(options.broadcastHttpPort, ports.http)
          return {
            ...options,
            broadcastTcpPort: portOr(options.broadcastTcpPort, ports.tcp),
            broadcastHttpPort,
            statsdPrefix: expandStatsdPrefix(options.statsdPrefix, options.broadcastAddress, broadcastHttpPort)
          }
        })

      return RuntimeOptions.of({
        current: SubscriptionRef.get(ref),
        changes: SubscriptionRef.changes(ref),
        get,
        put,
        listening
      })
    })
  )
}
