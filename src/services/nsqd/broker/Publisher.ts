/**
 * The service that all publishing goes through, from TCP, HTTP and the embedding program. It finds or creates the
 * topic. Replace its Layer to intercept publishing. The default passes messages to their topic unchanged.
 *
 * Hot path: a publish to an existing topic with room allocates no Effect.
 */
import { Context, Effect, Layer } from "effect"
import { type Headers, readHeaders } from "../../../protocol/client/Headers.ts"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import type { TopicName } from "../../../protocol/client/Names.ts"
import * as Completion from "../../core/Completion.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { areIndependent, bodiesOf, partOf } from "./Bodies.ts"
import { Broker } from "./Broker.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"

export { areIndependent, bodiesOf, joinBodies, partOf } from "./Bodies.ts"

/**
 * The path of every publish, from TCP, HTTP and the embedding program. Provide another Layer to check, copy or limit what is
 * published; `Publisher.layer` adds nothing.
 *
 * **One call may be several publishes.** `bodies` are either one unit (an MPUB, a DPUB, a single PUB, a publish of the program),
 * which is accepted as a whole or not at all, or several independent PUBs that arrived together (`areIndependent`). A Publisher
 * that refuses one of several PUBs must accept those before it, and fail with their number in `BrokerError.accepted`: they get
 * their OKs, and the next PUB gets the error. After a `Rejection` the session passes the PUBs behind the refused one in another
 * call; after any other error it closes the connection, as NSQ does.
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
   * Publishes bodies, one unit or several independent PUBs, to a topic, delivered after `deferMillis`. Creates the topic if
   * needed. `undefined` if all are accepted already; otherwise the Effect that completes the publish. It fails if the topic
   * cannot be created, or with the number of messages that were accepted nevertheless.
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
   * A Publisher that calls `check` for every body, in order, before it is accepted. A check that fails, with
   * `BrokerError.rejection`, refuses its own PUB only, and leaves the connection open: PUBs beside it are accepted even if they
   * arrived together. Of an MPUB it refuses all messages. A refused publish does not create its topic. `check` gets the headers of the
   * message by name, in lower case; a message without headers has an empty object.
   *
   * ```ts
   * const SmallBodies = Publisher.layerChecked((topic, body) =>
   *   body.length <= 1000 ? Effect.void : Effect.fail(BrokerError.rejection(`${topic} takes bodies of up to 1000 bytes`))
   * )
   * const OnlyJson = Publisher.layerChecked((topic, _body, headers) =>
   *   headers["content-type"] === "application/json"
   *     ? Effect.void
   *     : Effect.fail(BrokerError.rejection(`${topic} takes JSON with a content-type`))
   * )
   * ```
   */
  static readonly layerChecked = <R>(
    check: (topic: TopicName, body: Uint8Array, headers: Headers) => Effect.Effect<void, BrokerError, R>
  ): Layer.Layer<Publisher, never, R | Broker> =>
    Layer.effect(
      Publisher,
      Effect.map(Effect.all([Effect.context<R>(), make]), ([context, { publish }]) => ({
        publish: (topic, bodies, deferMillis) =>
          Effect.suspend(() => {
            let passed = 0
            const checks = Effect.forEach(
              bodiesOf(bodies),
              (body, i) => Effect.map(check(topic, body, headersAt(bodies, i)), () => void passed++),
              { discard: true }
            )
            return Effect.matchEffect(Effect.provideContext(checks, context), {
              onSuccess: () => Completion.toEffect(publish(topic, bodies, deferMillis)),
              onFailure: ({ reason }) => {
                if (passed === 0 || !areIndependent(bodies)) return Effect.fail(brokerError(reason))
                return Effect.andThen(
                  Completion.toEffect(publish(topic, partOf(bodies, 0, passed), deferMillis)),
                  Effect.fail(brokerError(reason, passed))
                )
              }
            })
          })
      }))
    )
}

/** The headers of one of the bodies. */
const headersAt = ({ headers }: PublishedBodies, i: number): Headers =>
  headers === undefined ? noHeaders : readHeaders(Buffer.isBuffer(headers) ? headers : headers[i] ?? noBytes)

const noHeaders: Headers = {}
const noBytes = Buffer.alloc(0)

const draining = Effect.suspend(() => Effect.fail(brokerError(BrokerErrorReason.Draining())))

const make = Effect.map(Broker, (broker): Publisher["Service"] => ({
  publish: (name, bodies, deferMillis) => {
    if (broker.drain.isDraining()) return draining
    const topic = broker.findTopic(name)
    if (topic !== undefined) return topic.publish(bodies, deferMillis)
    return Effect.flatMap(
      broker.topic(name),
      (created) => Completion.toEffect(created.publish(bodies, deferMillis))
    )
  }
}))
