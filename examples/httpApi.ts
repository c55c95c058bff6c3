/**
 * A broker inside an Effect HttpApi application: the handlers of the program's own API publish typed messages in process, and a fiber
 * of the program consumes them. NSQ's clients may use the same broker over TCP.
 *
 * Run it with `node examples/httpApi.ts` after `npm run build`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Nsqd } from "effect-nsq"
import { Broker, consume, publish, Publisher } from "effect-nsq/broker"
import { Topic } from "effect-nsq/client"
import { HttpRouter } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiClient, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { createServer } from "node:http"

const Order = Schema.Struct({ item: Schema.NonEmptyString, quantity: Schema.Int })
const orders = Topic.make("orders", Order)

export const Shop = HttpApi.make("shop").add(
  HttpApiGroup.make("orders")
    .add(HttpApiEndpoint.post("place", "/orders", { payload: Order, success: Schema.String }))
    .add(HttpApiEndpoint.get("waiting", "/orders/waiting", { success: Schema.Int }))
)

const Handlers = HttpApiBuilder.group(
  Shop,
  "orders",
  Effect.fn(function*(handlers) {
    const broker = yield* Broker
    const publisher = yield* Publisher
    return handlers.handleAll({
      place: ({ payload }) =>
        publish(orders, payload).pipe(
          Effect.provideService(Publisher, publisher),
          Effect.as("accepted"),
          Effect.orDie
        ),
      waiting: () =>
        Effect.sync(() => broker.findTopic("orders")?.channels.reduce((sum, { depth }) => sum + depth, 0) ?? 0)
    })
  })
)

/** The kitchen of the shop, which consumes in process. */
const Kitchen = Layer.effectDiscard(
  consume(orders, "kitchen").pipe(
    Stream.runForEach(({ finish, value }) => Effect.andThen(Effect.flatMap(value, Console.log), finish)),
    Effect.tapCause(Effect.logError),
    Effect.forkScoped
  )
)

/** The application without its HTTP server: the API, the kitchen, and the broker that both use. */
export const Application = (options: { readonly tcpAddress: string; readonly dataPath: string }) =>
  Layer.mergeAll(HttpApiBuilder.layer(Shop).pipe(Layer.provide(Handlers)), Kitchen).pipe(
    Layer.provideMerge(Nsqd.layerWith(options, { http: false }))
  )

/** A typed client of the API. */
export const client = (baseUrl: string) => HttpApiClient.make(Shop, { baseUrl })

export const program = (options: Parameters<typeof Application>[0], port: number) =>
  HttpRouter.serve(Application(options)).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port }))
  )

if (import.meta.main) {
  NodeRuntime.runMain(Layer.launch(program({ tcpAddress: "127.0.0.1:4150", dataPath: "" }, 8080)))
}
