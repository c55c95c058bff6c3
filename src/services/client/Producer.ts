/**
 * Publishes to one of several nsqd: each message goes to a connected one, which confirms it, and to another one if the first is
 * lost or silent. A message may arrive twice and is not lost: delivery is at least once.
 */
import { Context, type Effect, Layer, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import type { Transport } from "../net/Transport.ts"
import * as DirectProducer from "./DirectProducer.ts"
import type { ProducerOptions } from "./ProducerOptions.ts"
import type { ProducerService } from "./ProducerService.ts"

export type { ProducerOptions, PublishOptions } from "./ProducerOptions.ts"
export type { ProducerService } from "./ProducerService.ts"

/**
 * Creates a producer that is connected until the Scope closes; then publishes without a confirmation fail. Dies if an option is
 * not valid, for example a Duration.
 *
 * ```ts
 * const producer = yield* Producer.make({ servers: { nsqd: ["127.0.0.1:4150"] } })
 * yield* producer.publish(orders, { item: "tea", quantity: 2 })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (
  options: ProducerOptions
) => Effect.Effect<ProducerService, never, Transport | HttpClient.HttpClient | Scope.Scope> = DirectProducer.make

/**
 * The producer as a service.
 *
 * @since 0.1.0
 * @category services
 */
export class Producer extends Context.Service<Producer, ProducerService>()("effect-nsq/client/Producer") {}

/**
 * Provides a producer as the service `Producer`, connected while the Layer is in use.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const producer = yield* Producer.Producer
 *   yield* producer.publish("raw", "bytes or a string")
 * }).pipe(Effect.provide(Producer.layer({ servers: { nsqd: ["127.0.0.1:4150"] } })))
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer = (options: ProducerOptions): Layer.Layer<Producer, never, Transport | HttpClient.HttpClient> =>
  Layer.effect(Producer, make(options))
