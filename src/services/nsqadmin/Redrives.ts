/** Begins, watches and cancels redrives of dead letters on nsqds (docs/nsqadmin.md#the-api). */
import { Context, Effect, Layer } from "effect"
import { isChannelName, isTopicName } from "../../protocol/client/Names.ts"
import { BadRequest, type NotFound, type UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import type { Redrive, RedriveResponse } from "../../protocol/http/admin/AdminStorage.ts"
import { RedriveProgress } from "../../protocol/http/RedriveResponse.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { originOf } from "../cluster/KnownNode.ts"
import { DaemonHttp } from "../http/DaemonHttp.ts"
import type { HttpError } from "../http/HttpError.ts"
import * as KnownNodes from "./KnownNodes.ts"
import * as NodeRefusals from "./NodeRefusals.ts"

type Failure = BadRequest | NotFound | UpstreamError

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

const failed = (topic: string) => (error: HttpError): Effect.Effect<never, Failure> =>
  Effect.andThen(
    Effect.logWarning(`failed to redrive topic ${topic} - ${error.message}`),
    Effect.fail(NodeRefusals.failureOf(error))
  )

const responseOf = (redrive: RedriveProgress | null): RedriveResponse => ({ redrive, message: "" })

/** The redrives of nsqds. */
export class Redrives extends Context.Service<Redrives, {
  /** Begins a redrive on an nsqd. Fails while another one of the topic runs there. */
  readonly begin: (node: string, redrive: Redrive) => Effect.Effect<RedriveResponse, Failure>
  /** Returns how far the last redrive of the topic is. */
  readonly progress: (node: string, topic: string) => Effect.Effect<RedriveResponse, Failure>
  /** Cancels the redrive of the topic, and returns what it has done. */
  readonly cancel: (node: string, topic: string) => Effect.Effect<RedriveResponse, Failure>
}>()("effect-nsq/admin/Redrives") {
  static readonly layer: Layer.Layer<Redrives, never, Cluster | DaemonHttp> = Layer.effect(
    Redrives,
    Effect.gen(function*() {
      const cluster = yield* Cluster
      const daemons = yield* DaemonHttp

      const find = Effect.fnUntraced(function*(address: string, topic: string) {
        if (!isTopicName(topic)) return yield* refuse("INVALID_TOPIC")
        return originOf(yield* KnownNodes.find(cluster, address))
      })

      const begin = Effect.fnUntraced(function*(node: string, redrive: Redrive) {
        const origin = yield* find(node, redrive.topic)
        if (redrive.channel !== undefined && !isChannelName(redrive.channel)) return yield* refuse("INVALID_CHANNEL")
        const parameters = new URLSearchParams(
          Object.entries(redrive).map(([name, value]): [string, string] => [name, String(value)])
        )
        const path = `/topic/redrive?${parameters.toString()}`
        const progress = yield* daemons.exchange(RedriveProgress, "POST", node, path, undefined, origin).pipe(
          Effect.catch(failed(redrive.topic))
        )
        return responseOf(progress)
      })

      const progress = Effect.fnUntraced(function*(node: string, topic: string) {
        const origin = yield* find(node, topic)
        return yield* daemons.get(RedriveProgress, node, `/topic/redrive?topic=${encodeURIComponent(topic)}`, origin)
          .pipe(
            Effect.map(responseOf),
            Effect.catch((error) =>
              NodeRefusals.textOf(error) === "REDRIVE_NOT_FOUND"
                ? Effect.succeed(responseOf(null))
                : Effect.fail(NodeRefusals.failureOf(error))
            )
          )
      })

      const cancel = Effect.fnUntraced(function*(node: string, topic: string) {
        const origin = yield* find(node, topic)
        const path = `/topic/redrive?topic=${encodeURIComponent(topic)}`
        yield* Effect.catch(daemons.send("DELETE", node, path, origin), failed(topic))
        return yield* progress(node, topic)
      })

      return Redrives.of({ begin, progress, cancel })
    })
  )
}
