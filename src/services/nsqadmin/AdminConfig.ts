/**
 * Reads and changes the options of a running nsqadmin for `/config/:opt`, independent of HTTP
 * (docs/protocol/http.md#configuration-of-nsqadmin). The log level and the addresses of nsqlookupds can change.
 */
import { Context, Effect, Layer, Result, Schema } from "effect"
import { ClusterSources } from "../cluster/ClusterSources.ts"
import { LogThreshold } from "../logging/LogThreshold.ts"
import * as Kind from "../options/OptionKind.ts"
import * as OptionTable from "../options/OptionTable.ts"
import { NsqadminOptions, table } from "./NsqadminOptions.ts"

/** The option does not exist or cannot change (`INVALID_OPTION`), or the value is invalid (`INVALID_VALUE`). */
export class ConfigRefused extends Schema.TaggedError<ConfigRefused>()("ConfigRefused", {
  code: Schema.Literals(["INVALID_OPTION", "INVALID_VALUE"])
}) {}

const Addresses = Schema.fromJsonString(Schema.NullOr(Schema.Array(Schema.String)))

/** The options by their config keys. */
export class AdminConfig extends Context.Service<AdminConfig, {
  /** Returns the current value of a config key. */
  readonly get: (key: string) => Effect.Effect<Kind.ConfigValue, ConfigRefused>
  /** Changes an option until nsqadmin ends and returns its new value. */
  readonly put: (key: string, value: string) => Effect.Effect<Kind.ConfigValue, ConfigRefused>
}>()("effect-nsq/admin/AdminConfig") {
  static readonly layer: Layer.Layer<AdminConfig, never, ClusterSources> = Layer.effect(
    AdminConfig,
    Effect.gen(function*() {
      const options = yield* NsqadminOptions
      const sources = yield* ClusterSources
      const threshold = yield* LogThreshold

      const get = Effect.fnUntraced(function*(key: string) {
        const { lookupd: lookupdHttpAddresses } = yield* sources.current
        const current = { ...options, lookupdHttpAddresses, logLevel: threshold.level() }
        return OptionTable.render(table, current, key) ?? (yield* new ConfigRefused({ code: "INVALID_OPTION" }))
      })

      const invalidValue = () => new ConfigRefused({ code: "INVALID_VALUE" })

      const put = Effect.fnUntraced(function*(key: string, value: string) {
        switch (key) {
          case table.logLevel.key: {
            const level = Kind.logLevel.parse(value, undefined)
            if (Result.isFailure(level)) return yield* invalidValue()
            threshold.set(level.success)
            break
          }
          case table.lookupdHttpAddresses.key: {
            const addresses = yield* Effect.mapError(Schema.decodeEffect(Addresses)(value), invalidValue)
            yield* sources.setLookupds(addresses ?? [])
            break
          }
          default:
            return yield* new ConfigRefused({ code: "INVALID_OPTION" })
        }
        return yield* get(key)
      })

      return AdminConfig.of({ get, put })
    })
  )
}
