/**
 * The service that all publishing goes through, from TCP, HTTP and the embedding program. Replace its Layer to
 * intercept publishing. The default passes messages to their topic unchanged.
 */
import { Context, Effect, Layer } from "effect"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import type { TopicName } from "../../../protocol/client/Names.ts"
import type { Completion } from "../../core/Completion.ts"
import { Turns } from "../../core/Turns.ts"
import { PublishError } from "./BrokerError.ts"
import * as LargeBatches from "./LargeBatches.ts"
import type { Topic } from "./Topic.ts"

/**
 * The path of every publish, from TCP, HTTP and the embedding program. Provide another Layer to check, copy or limit what is
 * published; `Publisher.layer` adds nothing.
 *
 * ```ts
 * const OnlyJson = Publisher.layerChecked((topic, body) =>
 *   body[0] === 0x7b ? Effect.void : Effect.fail(`${topic} takes JSON objects`)
 * )
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Publisher extends Context.Service<Publisher, {
  /**
   * Publishes bodies to a topic, delivered after `deferMillis`. `undefined` if all are accepted already; otherwise
   * the Effect that completes the publish.
   */
  readonly publish: (
    topic: Topic,
    bodies: PublishedBodies,
    deferMillis: number
  ) => Completion<PublishError>
}>()("effect-nsq/broker/Publisher") {
  /** Passes messages to their topic unchanged, very large batches in pieces. */
  static readonly layer: Layer.Layer<Publisher> = Layer.effect(
    Publisher,
    Effect.map(Turns, (turns) => ({
      publish: (topic, bodies, deferMillis) => LargeBatches.put(turns, topic, bodies, deferMillis)
    }))
  )

  /**
   * A Publisher that calls `check` for every body first. A failed check refuses all bodies of the publish with its
   * reason.
   *
   * ```ts
   * const SmallBodies = Publisher.layerChecked((topic, body) =>
   *   body.length <= 1000 ? Effect.void : Effect.fail(`${topic}: body of ${body.length} bytes exceeds the limit of 1000`)
   * )
   * ```
   */
  static readonly layerChecked = <R>(
    check: (topic: TopicName, body: Uint8Array) => Effect.Effect<void, string, R>
  ): Layer.Layer<Publisher, never, R> =>
    Layer.effect(
      Publisher,
      Effect.map(Effect.all([Effect.context<R>(), Turns]), ([context, turns]) => ({
        publish: (topic, bodies, deferMillis) =>
          Effect.forEach(bodiesOf(bodies), (body) => check(topic.name, body), { discard: true }).pipe(
            Effect.provideContext(context),
            Effect.mapError((reason) => new PublishError({ reason, kind: "rejected", accepted: 0 })),
            Effect.andThen(Effect.suspend(() => LargeBatches.put(turns, topic, bodies, deferMillis) ?? Effect.void))
          )
      }))
    )
}

/** The bodies as views. */
export const bodiesOf = (bodies: PublishedBodies): ReadonlyArray<Buffer> => {
  const views: Array<Buffer> = []
  let at = bodies.start
  for (let i = 0; i < bodies.count; i++) {
    const size = bodies.bytes.readInt32BE(at)
    views.push(bodies.bytes.subarray(at + 4, at + 4 + size))
    at += 4 + size + bodies.gap
  }
  return views
}

/** Joins a program's own bodies to one batch. */
export const joinBodies = (bodies: ReadonlyArray<Uint8Array>): PublishedBodies => {
  const bodyBytes = bodies.reduce((sum, body) => sum + body.length, 0)
  const bytes = Buffer.allocUnsafe(bodyBytes + 4 * bodies.length)
  let at = 0
  for (const body of bodies) {
    bytes.writeInt32BE(body.length, at)
    bytes.set(body, at + 4)
    at += 4 + body.length
  }
  return { bytes, start: 0, gap: 0, count: bodies.length, bodyBytes }
}
