/**
 * Reads and changes the options of a running nsqadmin for `/config/:opt`, independent of HTTP
 * (docs/protocol/http.md#configuration-of-nsqadmin). The log level and the addresses of nsqlookupds can change.
 */
import { Context, Effect, Layer, Result, Schema } from "effect"
import { ClusterSources } from "../cluster/ClusterSources.ts"
import { LogThreshold } from "../logging/LogThreshold.ts"
import * as Kind from "../options/OptionKind.ts"
import * as OptionTable from "../options/OptionTable.ts"
import { NsqadminError, NsqadminErrorReason } from "./NsqadminError.ts"
import { NsqadminOptions, table } from "./NsqadminOptions.ts"

const Addresses = Schema.fromJsonString(Schema.NullOr(Schema.Array(Schema.String)))

/** The options by their config keys. Fails with the reason `UnknownOption`, and `put` with `InvalidValue`. */
export class AdminConfig extends Context.Service<AdminConfig, {
  /** Returns the current value of a config key. */
  readonly get: (key: string) => Effect.Effect<Kind.ConfigValue, NsqadminError>
  /** Changes an option until nsqadmin ends and returns its new value. */
  readonly put: (key: string, value: string) => Effect.Effect<Kind.ConfigValue, NsqadminError>
}>()("effect-nsq/admin/AdminConfig") {
  static readonly layer: Layer.Layer<AdminConfig, never, ClusterSources> = Layer.effect(
    AdminConfig,
    Effect.gen(function*() {
      const options = yield* NsqadminOptions
      const sources = yield* ClusterSources
      const threshold = yield* LogThreshold

      const unknown = (key: string) => new NsqadminError({ reason: NsqadminErrorReason.UnknownOption({ key }) })
      const invalidValue = (key: string) => new NsqadminError({ reason: NsqadminErrorReason.InvalidValue({ key }) })

      const get = Effect.fnUntraced(function*(key: string) {
        const { lookupd: lookupdHttpAddresses } = yield* sources.current
        const current = { ...options, lookupdHttpAddresses, logLevel: threshold.level() }
        return OptionTable.render(table, current, key) ?? (yield* unknown(key))
      })

      const put = Effect.fnUntraced(function*(key: string, value: string) {
        switch (key) {
          case table.logLevel.key: {
            const level = Kind.logLevel.parse(value, undefined)
            if (Result.isFailure(level)) return yield* invalidValue(key)
            threshold.set(level.success)
            break
          }
          case table.lookupdHttpAddresses.key: {
            const addresses = yield* Effect.mapError(Schema.decodeEffect(Addresses)(value), () => invalidValue(key))
            yield* sources.setLookupds(addresses ?? [])
            break
          }
          default:
            return yield* unknown(key)
        }
        return yield* get(key)
      })

      return AdminConfig.of({ get, put })
    })
  )
}
