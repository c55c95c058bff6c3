/**
 * Publishes or consumes with a client library instead of bare sockets: this project's or nsqjs, one library per process. It
 * measures the library; the daemon is the same for both.
 */
import { Effect, Layer, References } from "effect"
import { FetchHttpClient } from "effect/http"
import nsq from "nsqjs"
import { NodeTransport } from "../../src/broker.ts"
import { Consumer, Producer, Topic } from "../../src/services/client/index.ts"
import { fail, measureRate, type Window, work } from "./worker.ts"

export interface ClientConfig extends Window {
  readonly library: "effect-nsq" | "nsqjs"
  readonly role: "publish" | "consume"
  readonly port: number
  readonly topic: string
  readonly bodyBytes: number
}

/** Publishes in flight. */
const concurrency = 200
const maxInFlight = 2500

/** Runs a library; `count` counts confirmed or finished messages. */
type Start = (config: ClientConfig, count: () => void) => void

const ClientLive = Layer.mergeAll(
  NodeTransport.layer,
  FetchHttpClient.layer,
  Layer.succeed(References.MinimumLogLevel, "Error")
)

const startEffect: Start = ({ bodyBytes, port, role, topic }, count) => {
  const servers = { nsqd: [`127.0.0.1:${port}`] }
  const body = Buffer.alloc(bodyBytes, "x")
  const publishing = Effect.gen(function*() {
    const producer = yield* Producer.make({ servers })
    const publish = Effect.forever(Effect.map(producer.publish(topic, body), count))
    yield* Effect.all(Array.from({ length: concurrency }, () => publish), { concurrency: "unbounded" })
  })
  const consuming = Effect.gen(function*() {
    const consumer = yield* Consumer.make({ topic: Topic.bytes(topic), channel: "c0", servers, maxInFlight })
    yield* consumer.run(() => Effect.sync(count), { concurrency: 10 })
  })
  Effect.runCallback(Effect.scoped(role === "publish" ? publishing : consuming).pipe(Effect.provide(ClientLive)), {
    onExit: (exit) => fail(new Error(`the client ended: ${String(exit)}`))
  })
}

const startNsqjs: Start = ({ bodyBytes, port, role, topic }, count) => {
  if (role === "consume") {
    const reader = new nsq.Reader(topic, "c0", { nsqdTCPAddresses: `127.0.0.1:${port}`, maxInFlight })
    reader.on("message", (message) => {
      message.finish()
      count()
    })
    reader.on("error", fail)
    reader.connect()
    return
  }
  const body = "x".repeat(bodyBytes)
  const writer = new nsq.Writer("127.0.0.1", port)
  const publish = (): void =>
    writer.publish(topic, body, (error) => {
      if (error) return fail(error)
      count()
      publish()
    })
  writer.on("ready", () => {
    for (let i = 0; i < concurrency; i++) publish()
  })
  writer.on("error", fail)
  writer.connect()
}

work(async (config: ClientConfig) => {
  let done = 0
  const count = (): void => {
    done++
  }
  return async () => {
    if (config.library === "nsqjs") startNsqjs(config, count)
    else startEffect(config, count)
    return { rate: await measureRate(config, () => done) }
  }
})
