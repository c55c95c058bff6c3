/** Real nsqds on free ports of this machine, and a cluster that consists of them. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Duration, Effect, FileSystem, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Cluster } from "../../../src/services/cluster/Cluster.ts"
import { ClusterSources } from "../../../src/services/cluster/ClusterSources.ts"
import * as DaemonRequests from "../../../src/services/http/DaemonRequests.ts"
import { Patience } from "../../../src/services/nsqadmin/Patience.ts"
import { Nsqd } from "../../../src/services/nsqd/Nsqd.ts"
import type { NsqdOptions } from "../../../src/services/nsqd/options/NsqdOptions.ts"
import { quiet } from "../nsqd/broker/testing.ts"

const anyPort = "127.0.0.1:0"

/** Starts an nsqd that runs until the Scope closes, and returns its addresses. */
export const startNsqd = (options: Partial<NsqdOptions> = {}) =>
  Effect.orDie(Effect.gen(function*() {
    const dataPath = yield* FileSystem.FileSystem.pipe(
      Effect.flatMap((files) => files.makeTempDirectoryScoped()),
      Effect.provide(NodeServices.layer)
    )
    const context = yield* Nsqd.layerWith({
      tcpAddress: anyPort,
      httpAddress: anyPort,
      broadcastAddress: "127.0.0.1",
      dataPath,
      ...options
    }).pipe(Layer.provide(quiet), Layer.build)
    const { httpPort, tcpPort } = Context.get(context, Nsqd)
    return { tcp: `127.0.0.1:${tcpPort}`, http: `127.0.0.1:${httpPort}` }
  }))

const daemonHttpWith = (httpClientRequestTimeout: Duration.Duration) =>
  DaemonRequests.layer({ httpClientRequestTimeout, maxDaemonResponseSize: 0 }).pipe(
    Layer.provide(FetchHttpClient.layer)
  )

export const daemonHttp = daemonHttpWith(Duration.seconds(5))

const clusterWith = (http: typeof daemonHttp, nsqd: ReadonlyArray<string>) =>
  Cluster.layer.pipe(
    Layer.provideMerge(Layer.merge(ClusterSources.layer({ lookupd: [], nsqd }), Layer.provide(Patience.layer, http)))
  )

/** A cluster of these nsqds. */
export const clusterOf = (...nsqd: ReadonlyArray<string>) => clusterWith(daemonHttp, nsqd)

/** A cluster of these nsqds, with a timeout of requests that is longer than any test. */
export const patientClusterOf = (...nsqd: ReadonlyArray<string>) => clusterWith(daemonHttpWith(Duration.hours(1)), nsqd)
