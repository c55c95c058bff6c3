/**
 * A cluster in one process: an nsqlookupd and three nsqds that register with it, each with a data directory of its own. The program
 * publishes to every nsqd in process, and a consumer finds all of them through the nsqlookupd.
 *
 * Run it with `node examples/cluster.ts` after `npm run build`.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Context, Effect, FileSystem, Layer, Queue, Schema } from "effect"
import { Nsqd, Nsqlookupd } from "effect-nsq"
import { publish } from "effect-nsq/broker"
import { Consumer, NodeClient, Topic } from "effect-nsq/client"

const anyPort = "127.0.0.1:0"
const orders = Topic.make("orders", Schema.Struct({ node: Schema.Int }))

/** Starts the daemons. They stop with the Scope: first the nsqds, in reverse order, which can still unregister. */
const start = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const { httpAddress, tcpAddress } = Context.get(
    yield* Layer.build(
      Nsqlookupd.layerWith({ tcpAddress: anyPort, httpAddress: anyPort, broadcastAddress: "127.0.0.1" })
    ),
    Nsqlookupd
  )
  const nsqds = yield* Effect.forEach(
    [0, 1, 2],
    (nodeId) =>
      Effect.flatMap(files.makeTempDirectoryScoped(), (dataPath) =>
        Layer.build(Nsqd.layerWith({
          nodeId,
          dataPath,
          tcpAddress: anyPort,
          httpAddress: anyPort,
          broadcastAddress: "127.0.0.1",
          lookupdTcpAddresses: [tcpAddress]
        })))
  )
  return { nsqds, lookupd: httpAddress }
})

/** Returns the numbers of the nsqds whose messages arrived. */
export const program = Effect.gen(function*() {
  const { lookupd, nsqds } = yield* start
  yield* Effect.forEach(nsqds, (nsqd, node) => Effect.provideContext(publish(orders, { node }), nsqd))
  const arrived = yield* Queue.unbounded<number>()
  const consumer = yield* Consumer.make({
    topic: orders,
    channel: "kitchen",
    servers: { lookupd: [lookupd], pollInterval: "1 second" },
    maxInFlight: 10
  })
  yield* Effect.forkScoped(consumer.run(({ node }) => Queue.offer(arrived, node)))
  const nodes = yield* Effect.forEach(nsqds, () => Queue.take(arrived))
  yield* Console.log(nodes)
  return nodes.toSorted()
}).pipe(Effect.scoped, Effect.provide([NodeClient.layer, NodeFileSystem.layer]))

if (import.meta.main) NodeRuntime.runMain(program)
