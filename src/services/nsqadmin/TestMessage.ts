/** Publishes a test message that an administrator entered (docs/nsqadmin.md#messages). */
import { Context, Effect, Layer, Result } from "effect"
import { Base64 } from "effect/encoding"
import { isTopicName } from "../../protocol/client/Names.ts"
import type { ActionResponse, NewMessage } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest, UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { reasons } from "../cluster/ClusterError.ts"
import { type KnownNode, nodeAddress, originOf } from "../cluster/KnownNode.ts"
import { DaemonHttp } from "../http/DaemonHttp.ts"
import type { HttpError } from "../http/HttpError.ts"
import { Patience } from "./Patience.ts"
import * as Upstream from "./Upstream.ts"

/** Limit for the body: nsqd's default `--max-msg-size`. */
const maxBodyBytes = 1024 * 1024

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

const bodyOf = ({ body, encoding }: NewMessage): Effect.Effect<Uint8Array, BadRequest> => {
  const bytes = encoding === "text" ? Result.succeed(Buffer.from(body)) : Base64.decode(body)
  if (Result.isFailure(bytes)) return refuse("INVALID_BODY")
  if (bytes.success.length === 0) return refuse("MSG_EMPTY")
  return bytes.success.length > maxBodyBytes ? refuse("MSG_TOO_BIG") : Effect.succeed(bytes.success)
}

/** Publishing of test messages. */
export class TestMessage extends Context.Service<TestMessage, {
  /**
   * Publishes to the given nsqd. Without one, tries the nsqds that have the topic, or all nsqds if none has it, until one
   * accepts the message. The response lists the nsqds that failed before. Fails if all fail.
   */
  readonly publish: (
    topic: string,
    message: NewMessage
  ) => Effect.Effect<ActionResponse, BadRequest | UpstreamError>
}>()("effect-nsq/admin/TestMessage") {
  static readonly layer: Layer.Layer<TestMessage, never, Cluster | DaemonHttp | Patience> = Layer.effect(
    TestMessage,
    Effect.gen(function*() {
      const cluster = yield* Cluster
      const daemons = yield* DaemonHttp
      const { isSilent } = yield* Patience

      const allNodes = Effect.map(Upstream.query("get nodes", cluster.nodes), ({ value }) => value)

      /** Accepts nsqds of the cluster only, so that a client cannot send requests to other hosts. */
      const named = Effect.fnUntraced(function*(address: string) {
        const nodes = yield* allNodes
        const found = nodes.filter((node) => nodeAddress(node) === address)
        return found.length === 0 ? yield* refuse("INVALID_NODE") : found
      })

      /** nsqlookupd returns an error for a new topic: all nsqds are candidates then. */
      const producers = (topic: string): Effect.Effect<ReadonlyArray<KnownNode>, UpstreamError> =>
        Effect.matchEffect(cluster.producers(topic), {
          onSuccess: ({ value }) => value.length > 0 ? Effect.succeed(value) : allNodes,
          onFailure: () => allNodes
        })

      const publish = Effect.fnUntraced(function*(topic: string, message: NewMessage) {
        if (!isTopicName(topic)) return yield* refuse("INVALID_TOPIC")
        const { defer = 0, node } = message
        if (!Number.isInteger(defer) || defer < 0) return yield* refuse("INVALID_DEFER")
        const body = yield* bodyOf(message)
        const found = node === undefined ? yield* producers(topic) : yield* named(node)
        // Each is tried for as long as the timeout of requests.
        const silence = (node: KnownNode): number => Number(isSilent(nodeAddress(node)))
        const nodes = found.toSorted((a, b) => silence(a) - silence(b))
        const path = `/pub?topic=${encodeURIComponent(topic)}${defer === 0 ? "" : `&defer=${defer}`}`
        const failures: Array<HttpError> = []
        for (const node of nodes) {
          const result = yield* Effect.result(daemons.post(nodeAddress(node), path, body, originOf(node)))
          if (Result.isSuccess(result)) return { message: Upstream.warning(failures) }
          failures.push(result.failure)
        }
        const reason = failures.length === 0 ? "the cluster has no nsqd" : reasons(failures)
        yield* Effect.logError(`failed to publish to ${topic} - ${reason}`)
        return yield* Effect.fail(UpstreamError.make({ message: `UPSTREAM_ERROR: ${reason}` }))
      })

      return TestMessage.of({ publish })
    })
  )
}
