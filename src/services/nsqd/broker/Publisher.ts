/**
 * The service that all publishing goes through, from TCP, HTTP and the embedding program. It finds or creates the
 * topic. Replace its Layer to intercept publishing. The default passes messages to their topic unchanged.
 *
 * Hot path: a publish to an existing topic with room allocates no Effect.
 */
import { Context, Effect, Layer } from "effect"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import type { TopicName } from "../../../protocol/client/Names.ts"
import * as Completion from "../../core/Completion.ts"
import { Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { Broker } from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"
import * as LargeBatches from "./LargeBatches.ts"

/**
 * The path of every publish, from TCP, HTTP and the embedding program. Provide another Layer to check, copy or limit what is
 * published; `Publisher.layer` adds nothing.
 *
 * ```ts
 * const OnlyJson = Publisher.layerChecked((topic, body) =>
 *   body[0] === 0x7b ? Effect.void : Effect.fail(BrokerError.rejection(`${topic} takes JSON objects`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Publisher extends Context.Service<Publisher, {
  /**
   * Publishes bodies to a topic, delivered after `deferMillis`. Creates the topic if needed. `undefined` if all are
   * accepted already; otherwise the Effect that completes the publish. It fails if the topic cannot be created, or
   * with the number of messages that were accepted nevertheless.
   */
  readonly publish: (
    topic: TopicName,
    bodies: PublishedBodies,
    deferMillis: number
  ) => Completion.Completion<BrokerError | StorageError>
}>()("effect-nsq/broker/Publisher") {
  /** Passes messages to their topic unchanged, very large batches in pieces. */
  static readonly layer: Layer.Layer<Publisher, never, Broker> = Layer.effect(
    Publisher,
    Effect.suspend(() => make)
  )

  /**
   * A Publisher that calls `check` for every body first. A failed check refuses all bodies of the publish with its
   * error, `BrokerError.rejection`; a refused publish does not create the topic.
   *
   * ```ts
   * const SmallBodies = Publisher.layerChecked((topic, body) =>
   *   body.length <= 1000 ? Effect.void : Effect.fail(BrokerError.rejection(`${topic} takes bodies of up to 1000 bytes`))
   * )
   * ```
   */
  static readonly layerChecked = <R>(
    check: (topic: TopicName, body: Uint8Array) => Effect.Effect<void, BrokerError, R>
  ): Layer.Layer<Publisher, never, R | Broker> =>
    Layer.effect(
      Publisher,
      Effect.map(Effect.all([Effect.context<R>(), make]), ([context, { publish }]) => ({
        publish: (topic, bodies, deferMillis) =>
          Effect.forEach(bodiesOf(bodies), (body) => check(topic, body), { discard: true }).pipe(
            Effect.provideContext(context),
            Effect.andThen(Effect.suspend(() => Completion.toEffect(publish(topic, bodies, deferMillis))))
          )
      }))
    )
}

const make = Effect.map(Effect.all([Broker, Turns]), ([broker, turns]): Publisher["Service"] => ({
  publish: (name, bodies, deferMillis) => {
    const topic = broker.findTopic(name)
    if (topic !== undefined) return LargeBatches.put(turns, topic, bodies, deferMillis)
    return Effect.flatMap(
      broker.topic(name),
      (created) => Completion.toEffect(LargeBatches.put(turns, created, bodies, deferMillis))
    )
  }
}))

/**
 * Returns the bodies of a publish, as views on its bytes. They may belong to several neighbouring PUBs.
 *
 * @since 0.2.0
 * @category conversions
 */
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

/**
 * Joins bodies to one batch, for `Publisher.publish`.
 *
 * @since 0.2.0
 * @category conversions
 */
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
