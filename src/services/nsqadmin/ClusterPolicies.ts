/** Lists and changes the policies of all nsqds (docs/nsqadmin.md#policies). Each nsqd keeps its own; a change is sent to each. */
import { Context, Effect, Layer, Result } from "effect"
import { isChannelName, isTopicName } from "../../protocol/client/Names.ts"
import { BadRequest, type NotFound, type UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import type {
  AnyPolicy,
  InForceResponse,
  PoliciesResponse,
  PolicyChangeResponse
} from "../../protocol/http/admin/AdminStorage.ts"
import { ListedPolicy, PolicyInForce, PolicyList } from "../../protocol/http/PoliciesResponse.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { type KnownNode, nodeAddress, originOf } from "../cluster/KnownNode.ts"
import * as OwnEndpoints from "../cluster/OwnEndpoints.ts"
import { DaemonHttp } from "../http/DaemonHttp.ts"
import type { HttpError } from "../http/HttpError.ts"
import * as NodeRefusals from "./NodeRefusals.ts"
import * as Upstream from "./Upstream.ts"

const concurrency = 64

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

/** The result of a request to an nsqd. */
type OnNode<A> = readonly [node: string, result: Result.Result<A, HttpError>]

const onEach = <A>(
  nodes: ReadonlyArray<KnownNode>,
  request: (node: KnownNode) => Effect.Effect<A, HttpError>
): Effect.Effect<ReadonlyArray<OnNode<A>>> =>
  Effect.forEach(
    nodes,
    (node) => Effect.map(Effect.result(request(node)), (result): OnNode<A> => [nodeAddress(node), result]),
    { concurrency }
  )

const errorIn = <A>(result: Result.Result<A, HttpError>): string =>
  Result.isFailure(result) ? NodeRefusals.textOf(result.failure) : ""

const failuresIn = <A>(results: ReadonlyArray<OnNode<A>>): ReadonlyArray<HttpError> =>
  results.flatMap(([, result]) => Result.isFailure(result) ? [result.failure] : [])

/** The policies of the cluster. */
export class ClusterPolicies extends Context.Service<ClusterPolicies, {
  /** Returns the policies of each nsqd. */
  readonly list: Effect.Effect<PoliciesResponse, UpstreamError>
  /** Returns what applies to a topic, or to a channel of it, on each nsqd that has the topic. */
  readonly inForce: (
    topic: string,
    channel: string | undefined
  ) => Effect.Effect<InForceResponse, BadRequest | UpstreamError>
  /** Sets a policy on each nsqd. Fails if all fail, with the error of the first: that of the field that is not valid. */
  readonly set: (policy: AnyPolicy) => Effect.Effect<PolicyChangeResponse, BadRequest | NotFound | UpstreamError>
  /** Deletes a policy from each nsqd that has it. Fails if all fail. */
  readonly remove: (match: string) => Effect.Effect<PolicyChangeResponse, BadRequest | NotFound | UpstreamError>
}>()("effect-nsq/admin/ClusterPolicies") {
  static readonly layer: Layer.Layer<ClusterPolicies, never, Cluster | DaemonHttp> = Layer.effect(
    ClusterPolicies,
    Effect.gen(function*() {
      const cluster = yield* Cluster
      const daemons = yield* DaemonHttp
      const endpoints = OwnEndpoints.make(daemons)

      const list = Effect.gen(function*() {
        const nodes = yield* Upstream.query("get nodes", cluster.nodes)
        const results = yield* onEach(
          nodes.value,
          (node) => endpoints.get(PolicyList, nodeAddress(node), "/policies", originOf(node))
        )
        return {
          nodes: results.map(([node, result]) => ({
            node,
            policies: Result.isSuccess(result) ? result.success?.policies ?? null : null,
            error: errorIn(result)
          })),
          message: Upstream.warning(nodes.failures, failuresIn(results))
        }
      })

      const inForce = Effect.fnUntraced(function*(topic: string, channel: string | undefined) {
        if (!isTopicName(topic)) return yield* refuse("INVALID_TOPIC")
        if (channel !== undefined && !isChannelName(channel)) return yield* refuse("INVALID_CHANNEL")
        const nodes = yield* Upstream.query("get producers", cluster.producers(topic))
        const more = channel === undefined ? "" : `&channel=${encodeURIComponent(channel)}`
        const path = `/policies?topic=${encodeURIComponent(topic)}${more}`
        const results = yield* onEach(
          nodes.value,
          (node) => endpoints.get(PolicyInForce, nodeAddress(node), path, originOf(node))
        )
        return {
          nodes: results.map(([node, result]) => ({
            node,
            fields: Result.isSuccess(result) ? result.success?.fields ?? null : null,
            error: errorIn(result)
          })),
          message: Upstream.warning(nodes.failures, failuresIn(results))
        }
      })

      /** Sends a change to all nsqds. */
      const change = Effect.fnUntraced(
        function*<A>(what: string, request: (node: KnownNode) => Effect.Effect<A, HttpError>) {
          const nodes = yield* Upstream.query("get nodes", cluster.nodes)
          const results = yield* onEach(nodes.value, request)
          const failures = failuresIn(results)
          const [first] = failures
          if (first !== undefined && failures.length === results.length) {
            yield* Effect.logWarning(`failed to ${what} - ${first.message}`)
            return yield* Effect.fail(NodeRefusals.failureOf(first))
          }
          return {
            nodes: results.map(([node, result]) => ({ node, error: errorIn(result) })),
            message: Upstream.warning(nodes.failures, failures)
          }
        }
      )

      return ClusterPolicies.of({
        list,
        inForce,
        set: (policy) => {
          const body = Buffer.from(JSON.stringify(policy))
          return change(
            "set policy",
            (node) => daemons.exchange(ListedPolicy, "PUT", nodeAddress(node), "/policies", body, originOf(node))
          )
        },
        remove: (match) =>
          change(
            "delete policy",
            (node) =>
              daemons.send("DELETE", nodeAddress(node), `/policies?match=${encodeURIComponent(match)}`, originOf(node))
          )
      })
    })
  )
}
