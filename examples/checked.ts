/**
 * A custom Layer around publishing: messages of the topic `orders` must be JSON that matches a Schema. It applies to all
 * publishes of the daemon, over TCP, over HTTP and in process, and the error response has the reason.
 *
 * Run it with `node examples/checked.ts` after `npm run build`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema } from "effect"
import { Nsqd } from "effect-nsq"
import { BrokerError, Options, publish, Publisher, Storage } from "effect-nsq/broker"
import { NodeClient, Producer } from "effect-nsq/client"
import { HttpBody, HttpClient } from "effect/http"

const Order = Schema.fromJsonString(Schema.Struct({
  item: Schema.NonEmptyString,
  quantity: Schema.Int.check(Schema.isGreaterThan(0))
}))
const decodeOrder = Schema.decodeUnknownEffect(Order)

const CheckedPublisher = Publisher.layerChecked((topic, body) =>
  topic !== "orders" ? Effect.void : decodeOrder(Buffer.from(body).toString()).pipe(
    Effect.mapError((error) => BrokerError.rejection(`not an order: ${error.message}`)),
    Effect.asVoid
  )
)

/** Keeps messages in memory, so that the example leaves no files. */
const Daemon = Nsqd.layerFrom({ publisher: CheckedPublisher, storage: Storage.layerMemory }).pipe(
  Layer.provide(Options.layer({ tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0" }))
)

const order = (quantity: number) => Buffer.from(JSON.stringify({ item: "tea", quantity }))

/** Returns why the bad order is refused: in process, over TCP, and the status over HTTP. */
export const program = Effect.gen(function*() {
  const { httpPort, tcpPort } = yield* Nsqd
  yield* publish("orders", order(2))
  const inProcess = yield* Effect.flip(publish("orders", order(0)))

  const producer = yield* Producer.make({ servers: { nsqd: [`127.0.0.1:${tcpPort}`] } })
  yield* producer.publish("orders", order(2))
  const overTcp = yield* Effect.flip(producer.publish("orders", order(0)))

  const { status } = yield* HttpClient.post(`http://127.0.0.1:${httpPort}/pub?topic=orders`, {
    body: HttpBody.uint8Array(order(0))
  })
  yield* Console.log(inProcess.message, overTcp.message, status)
  return { inProcess: inProcess.message, overTcp: overTcp.message, status }
}).pipe(Effect.scoped, Effect.provide([Daemon, NodeClient.layer]))

if (import.meta.main) NodeRuntime.runMain(program)
