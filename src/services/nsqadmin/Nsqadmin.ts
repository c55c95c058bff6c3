/**
 * The daemon nsqadmin as one Layer: cluster queries, sampling, and the HTTP server for pages and API. It stores nothing on
 * disk.
 */
import { Context, Effect, Layer } from "effect"
import { Cluster } from "../cluster/Cluster.ts"
import { ClusterActions } from "../cluster/ClusterActions.ts"
import { ClusterSources } from "../cluster/ClusterSources.ts"
import * as Version from "../core/Version.ts"
import * as HttpClients from "../http/HttpClients.ts"
import * as NodeDaemonHttp from "../http/NodeDaemonHttp.ts"
import { DaemonNetworks } from "../net/DaemonNetworks.ts"
import * as Exposure from "../net/Exposure.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import { AdminAccess } from "./AdminAccess.ts"
import { AdminConfig } from "./AdminConfig.ts"
import { AdminHttp } from "./AdminHttp.ts"
import { Graphite } from "./Graphite.ts"
import { History } from "./History.ts"
import { LiveFeed } from "./LiveFeed.ts"
import { Notifications } from "./Notifications.ts"
import { NsqadminError, NsqadminErrorReason } from "./NsqadminError.ts"
import * as Options from "./NsqadminOptions.ts"
import { Sampler } from "./Sampler.ts"
import { TailFeed } from "./TailFeed.ts"
import { TestMessage } from "./TestMessage.ts"
import { WebAssets } from "./WebAssets.ts"

const failure =
  (tag: "InvalidOption" | "ListenFailure" | "ListenerLoss") =>
  ({ message: description }: { readonly message: string }): NsqadminError =>
    new NsqadminError({ reason: NsqadminErrorReason[tag]({ description }) })

/**
 * A running nsqadmin.
 *
 * @since 0.1.0
 * @category services
 */
export class Nsqadmin extends Context.Service<Nsqadmin, {
  /** `host:port` of the listener, with the port that the system chose for port 0. */
  readonly httpAddress: string
  /** Fails when the listener fails; never succeeds. */
  readonly failed: Effect.Effect<never, NsqadminError>
}>()("effect-nsq/Nsqadmin") {
  static readonly layer: Layer.Layer<Nsqadmin, NsqadminError> = Layer.effect(
    Nsqadmin,
    Effect.gen(function*() {
      const options = yield* Options.NsqadminOptions
      const checked = yield* Options.check(options)
      yield* Effect.logInfo(Version.banner("nsqadmin"))
      const userAgent = `nsqadmin/${Version.version}`
      const sources = { lookupd: options.lookupdHttpAddresses, nsqd: options.nsqdHttpAddresses }
      const built = yield* Layer.build(
        AdminHttp.layer(checked).pipe(
          Layer.provide([AdminConfig.layer, AdminAccess.layer, WebAssets.layer, Notifications.layer, Graphite.layer]),
          Layer.provide([LiveFeed.layer, TailFeed.layer, TestMessage.layer]),
          Layer.provide(History.layer),
          Layer.provide([ClusterActions.layer, Sampler.layer(options), NodeTransport.layer]),
          Layer.provide(Cluster.layer),
          Layer.provide([ClusterSources.layer(sources), NodeDaemonHttp.layer({ ...options, userAgent }, checked.tls)]),
          Layer.provide(HttpClients.layer(options, checked.tls)),
          Layer.provide(Layer.succeed(DaemonNetworks, checked.daemonNetworks))
        )
      )
      const { address, broken } = Context.get(built, AdminHttp)
      if (options.adminUsers.length === 0) yield* Exposure.warn([{ name: "HTTP", address }])
      return Nsqadmin.of({
        httpAddress: address,
        failed: Effect.mapError(broken, failure("ListenerLoss"))
      })
    }).pipe(
      Effect.catchTags({
        OptionsError: (error) => Effect.fail(failure("InvalidOption")(error)),
        NetError: (error) => Effect.fail(failure("ListenFailure")(error))
      })
    )
  )

  /** An nsqadmin with the given options and NSQ's defaults for all others. */
  static readonly layerWith = (options: Options.Changes): Layer.Layer<Nsqadmin, NsqadminError> =>
    Nsqadmin.layer.pipe(Layer.provide(Options.layer(options)))
}
