/**
 * effect-nsq: NSQ, the distributed real-time messaging platform, on Effect.
 */

/** The broker as Layers: embed it, publish to it, consume from it. */
export * as broker from "./broker.ts"
/** Metrics and statsd for an embedded broker. */
export * as metrics from "./metrics.ts"
/** The wire protocol as Schemas and codecs. */
export * as protocol from "./protocol/index.ts"
/** The daemon nsqd as a Layer of replaceable pieces. */
export type { CompleteLayer, ReplacementWithoutEffect } from "./services/core/CompleteLayer.ts"
export { Nsqd } from "./services/nsqd/Nsqd.ts"
export { NsqdError, NsqdErrorReason } from "./services/nsqd/NsqdError.ts"
export type { Given as NsqdGiven, Pieces as NsqdPieces } from "./services/nsqd/NsqdPieces.ts"
/** The daemon nsqlookupd as a Layer. */
export { Nsqlookupd } from "./services/nsqlookupd/Nsqlookupd.ts"
export { NsqlookupdError, NsqlookupdErrorReason } from "./services/nsqlookupd/NsqlookupdError.ts"
/** The registrations and the HTTP API of nsqlookupd. */
export { LookupHttp } from "./services/nsqlookupd/LookupHttp.ts"
export type { Pieces as NsqlookupdPieces } from "./services/nsqlookupd/Nsqlookupd.ts"
export type { NsqlookupdOptions } from "./services/nsqlookupd/NsqlookupdTable.ts"
export { Registrations } from "./services/nsqlookupd/Registrations.ts"
/** The daemon nsqadmin as a Layer. */
export { Nsqadmin } from "./services/nsqadmin/Nsqadmin.ts"
export { NsqadminError, NsqadminErrorReason } from "./services/nsqadmin/NsqadminError.ts"
/** The pieces of nsqadmin: queries and changes of the cluster, administrators, pages and API. */
export { Cluster } from "./services/cluster/Cluster.ts"
export { ClusterActions } from "./services/cluster/ClusterActions.ts"
export { ClusterError, ClusterErrorReason } from "./services/cluster/ClusterError.ts"
export { HttpError, HttpErrorReason } from "./services/http/HttpError.ts"
export { AdminAccess } from "./services/nsqadmin/AdminAccess.ts"
export { AdminHttp } from "./services/nsqadmin/AdminHttp.ts"
export { type AdminAction, Notifications } from "./services/nsqadmin/Notifications.ts"
export type { Pieces as NsqadminPieces } from "./services/nsqadmin/Nsqadmin.ts"
export type { NsqadminOptions } from "./services/nsqadmin/NsqadminTable.ts"
/** The three daemons in one process. */
export { Standalone } from "./services/standalone/Standalone.ts"
export { StandaloneError, type StandaloneErrorReason } from "./services/standalone/StandaloneError.ts"
export type { DaemonsOptions } from "./services/standalone/StandaloneOptions.ts"
/** Producer, Consumer and discovery. */
export * as client from "./services/client/index.ts"
