/** What the snippets of the documents use without declaring it: the code of the program around them. */
import { Context, Data, type Effect, type Layer, Schema } from "effect"
import type { NsqdApi } from "effect-nsq/admin"
import type { Broker, HttpRoute, Publisher, Storage } from "effect-nsq/broker"
import { type Consumer, type Producer, Topic } from "effect-nsq/client"
import type { TestCluster } from "effect-nsq/testing"

export const Order = Schema.Struct({ item: Schema.String, quantity: Schema.Int })
export const orders = Topic.make("orders", Order)
export const topic = Topic.bytes("bytes")

type Order = typeof Order.Type

export declare const order: Order
export declare const first: Order
export declare const second: Order
export declare const third: Order
export declare const fourth: Order
export declare const later: Order
export declare const servers: { readonly nsqd: ReadonlyArray<string> }
export declare const address: string
export declare const seed: number

export class SoldOut extends Data.TaggedError("SoldOut")<{ readonly isFinal: boolean }> {}
export class AlreadyServed extends Data.TaggedError("AlreadyServed")<{ readonly isFinal: boolean }> {}
export type OrderError = SoldOut | AlreadyServed

export declare const serve: (order: Order) => Effect.Effect<void, OrderError>
export declare const insertAll: (orders: ReadonlyArray<Order>) => Effect.Effect<void>
export declare const markForReview: (order: Order) => Effect.Effect<void>
export declare const useTheDisk: Effect.Effect<void>
export declare const kitchen: Effect.Effect<Array<string>>
export declare const known: () => ReadonlyArray<string>
export declare const received: ReadonlyArray<string>

export class Kitchen extends Context.Service<Kitchen, {
  readonly serve: (order: Order) => Effect.Effect<void>
  readonly cook: (order: Order) => Effect.Effect<void>
}>()("test/Kitchen") {
  declare static readonly layer: Layer.Layer<Kitchen>
}

export class Alerts extends Context.Service<Alerts, {
  readonly send: (subject: string, text: string) => Effect.Effect<void>
}>()("test/Alerts") {}

export declare const producer: Producer.ProducerService
export declare const consumer: Consumer.Consumer<Order>
export declare const nsqd: Effect.Success<ReturnType<typeof NsqdApi.make>>
export declare const cluster: TestCluster["Service"]
export declare const audit: Layer.Layer<Publisher, never, Publisher>
export declare const CheckedPublisher: Layer.Layer<Publisher, never, Publisher>
export declare const hello: HttpRoute.HttpRoute
export declare const options: { readonly dataPath: string }
export declare const record: (topic: string, bodies: unknown) => Effect.Effect<void>
export declare const layerAt: (path: string) => Layer.Layer<Storage>
export declare const MyBroker: Layer.Layer<Broker | Publisher>
export declare const MyStorage: { readonly layer: Layer.Layer<Storage> }
export declare const MyDatabase: { readonly layerEmpty: Layer.Layer<never> }
