/**
 * `effect-nsq/admin`: the HTTP APIs of nsqd, nsqlookupd and nsqadmin as typed calls.
 */

export { AdminError, AdminErrorReason } from "./AdminError.ts"
export type { AdminOptions } from "./AdminRequests.ts"
/** Calls to a cluster through nsqadmin. */
export * as NsqadminApi from "./NsqadminApi.ts"
/** Calls to one nsqd. */
export * as NsqdApi from "./NsqdApi.ts"
/** Calls to one nsqlookupd. */
export { HttpError, HttpErrorReason } from "../http/HttpError.ts"
export * as NsqlookupdApi from "./NsqlookupdApi.ts"
/** The responses with figures, as Schemas. */
export { Connection } from "../../protocol/http/ClientsResponse.ts"
export { DrainProgress } from "../../protocol/http/DrainResponse.ts"
export { Info } from "../../protocol/http/InfoResponse.ts"
export { Lookup, Node } from "../../protocol/http/LookupResponse.ts"
export { BrowsedMessage, MessagesPage } from "../../protocol/http/MessagesResponse.ts"
export { NodeStatus } from "../../protocol/http/NodeResponse.ts"
export { ListedPolicy, Policy, type PolicyField, PolicyInForce } from "../../protocol/http/PoliciesResponse.ts"
export { SeekResponse } from "../../protocol/http/SeekResponse.ts"
export { Stats } from "../../protocol/http/StatsResponse.ts"
