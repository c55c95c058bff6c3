/**
 * Publishes to one of several nsqd: each message goes to a connected one, which confirms it, and to another one if the first is
 * lost or silent. A message may arrive twice and is not lost: delivery is at least once.
 *
 * Hot path: the commands of many fibers go out in one write; replies are matched to them in order.
 */
import { Clock, Context, Deferred, Duration, Effect, Layer, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import { encodeCommand } from "../../protocol/client/Command.ts"
import { TopicName } from "../../protocol/client/Names.ts"
import * as Time from "../core/Time.ts"
import type { Transport } from "../net/Transport.ts"
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import type * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import type { Servers } from "./Discovery.ts"
import * as Links from "./Links.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"
import { Link, Outgoing, type Publishing, tickInterval } from "./Outgoing.ts"

/**
 * Options of a producer.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProducerOptions {
  /** The nsqd to publish to, or the nsqlookupd that know all of them. */
  readonly servers: Servers
  readonly connection?: ConnectionOptions
  /** Unconfirmed publishes in flight; further ones wait. Default: 2000. */
  readonly maxInFlight?: number
  /** Limit for a publish, including the wait for a server. Default: 30 s. */
  readonly publishTimeout?: Duration.Input
  /**
   * Time without any reply after which a server's unconfirmed publishes go to others; new publishes avoid it after a third of
   * that time. Default: 750 ms.
   */
  readonly silenceLimit?: Duration.Input
  /**
   * Whether a publish whose server is lost or silent goes to another server, so that it may arrive twice. If false, it fails
   * with the reason `UnknownOutcome`: at once when the connection is lost, after `publishTimeout` when the server is silent. Default:
   * true.
   */
  readonly resend?: boolean
  /**
   * Whether a publish waits while no server is connected. If false, it fails as soon as the first attempts to connect have
   * failed, and with the reason `UnknownOutcome` when the only connection is lost, or is silent for `silenceLimit`, before the server
   * confirms it. Default: true.
   */
  readonly waitForServer?: boolean
}

/**
 * Publishes messages. Each Effect completes when a server has confirmed; publish from several fibers to have many in flight.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProducerService {
  /**
   * Publishes bytes to a topic by name, or a value to a topic with a Schema. Fails with the reasons `MessageRefusal`, `NoServer`,
   * `UnknownOutcome` and, for a value, `InvalidMessage`; so do the others.
   */
  readonly publish: {
    (topic: string, body: Uint8Array | string): Effect.Effect<void, ClientError>
    <A>(topic: ClientTopic.Topic<A>, value: A): Effect.Effect<void, ClientError>
  }
  /** Publishes all messages with one MPUB: the server takes all of them or none. Does nothing for an empty list. */
  readonly publishAll: {
    (topic: string, bodies: ReadonlyArray<Uint8Array | string>): Effect.Effect<void, ClientError>
    <A>(topic: ClientTopic.Topic<A>, values: ReadonlyArray<A>): Effect.Effect<void, ClientError>
  }
  /** Publishes a message that is delivered after the delay, with DPUB. */
  readonly publishDeferred: {
    (topic: string, body: Uint8Array | string, delay: Duration.Input): Effect.Effect<void, ClientError>
    <A>(topic: ClientTopic.Topic<A>, value: A, delay: Duration.Input): Effect.Effect<void, ClientError>
  }
  /** Addresses of the nsqd that are connected. */
  readonly connected: Effect.Effect<ReadonlyArray<string>>
}

const commandLines = new Map<string, Buffer>()
const maxCommandLines = 1000

/** Encodes PUB; the command line of a topic is encoded once. */
const encodePub = (topic: TopicName, body: Uint8Array): Buffer => {
  let line = commandLines.get(topic)
  if (line === undefined) {
    line = Buffer.from(`PUB ${topic}\n`)
    if (commandLines.size < maxCommandLines) commandLines.set(topic, line)
  }
  const out = Buffer.allocUnsafe(line.length + 4 + body.length)
  out.set(line)
  out.writeInt32BE(body.length, line.length)
  out.set(body, line.length + 4)
  return out
}

/**
 * Creates a producer that is connected until the Scope closes.
 *
 * ```ts
 * const producer = yield* makeProducer({ servers: { nsqd: ["127.0.0.1:4150"] } })
 * yield* producer.publish(orders, { item: "tea", quantity: 2 })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("Producer.make")(function*(
  options: ProducerOptions
): Effect.fn.Return<ProducerService, never, Transport | HttpClient.HttpClient | Scope.Scope> {
  const publishTimeout = Duration.toMillis(Duration.fromInputUnsafe(options.publishTimeout ?? "30 seconds"))
  const outgoing = new Outgoing({
    maxInFlight: options.maxInFlight ?? 2000,
    waitForServer: options.waitForServer !== false,
    resend: options.resend !== false,
    silenceLimit: Duration.toMillis(Duration.fromInputUnsafe(options.silenceLimit ?? "750 millis")),
    publishTimeout
  })
  const clock = yield* Clock.Clock
  const now = Time.fromClock(clock).monotonicMillis

  const use = Effect.fnUntraced(function*(connection: NsqdConnection) {
    const { address } = connection
    const dropped = yield* Deferred.make<never, ClientError>()
    const link = new Link(connection, (description) => {
      const reason = ClientErrorReason.ConnectionLoss({ address, description })
      Deferred.doneUnsafe(dropped, Effect.fail(new ClientError({ reason })))
    })
    yield* Effect.acquireRelease(
      Effect.sync(() => outgoing.connect(link)),
      () => Effect.sync(() => outgoing.lose(link))
    )
    const frames = connection.run({
      onResponse: () => outgoing.reply(link, undefined),
      onError: (reason) => outgoing.reply(link, reason),
      onMessage: () => {}
    })
    return yield* Effect.raceFirst(frames, Deferred.await(dropped))
  })

  yield* Links.run({
    servers: options.servers,
    connection: options.connection ?? {},
    topic: undefined,
    use,
    onUnavailable: (_, { message }) => outgoing.noteUnavailable(message)
  })
  yield* Effect.sync(() => outgoing.tick(now())).pipe(
    Effect.delay(tickInterval),
    Effect.forever,
    Effect.forkScoped
  )
  // No server can reply any more: fails all publishes.
  yield* Effect.addFinalizer(() => Effect.sync(() => outgoing.expire(Infinity)))

  const run = (topic: TopicName, bytes: Buffer): Effect.Effect<void, ClientError> =>
    Effect.callback((resume) => {
      const publishing: Publishing = {
        topic,
        bytes,
        deadline: now() + publishTimeout,
        link: undefined,
        sent: false,
        settled: false,
        settle: (failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure))
      }
      outgoing.add(publishing)
      return Effect.sync(() => outgoing.abandon(publishing))
    })

  const bodyOf = (body: Uint8Array | string): Uint8Array => typeof body === "string" ? Buffer.from(body) : body

  /** Returns the topic's name and the encoded body. */
  const encode = <A>(
    topic: string | ClientTopic.Topic<A>,
    value: A | Uint8Array | string
  ): readonly [TopicName, Effect.Effect<Uint8Array, ClientError>] =>
    typeof topic === "string"
      ? [TopicName.make(topic), Effect.sync(() => bodyOf(value as Uint8Array | string))]
      : [topic.name, topic.encode(value as A)]

  /** Wraps the publish of a traced topic in a span. */
  const trace = <A, E>(topic: string | ClientTopic.Topic<A>, publish: Effect.Effect<void, E>): Effect.Effect<void, E> =>
    typeof topic === "string" || topic.linkOf === undefined ?
      publish :
      Effect.withSpan(publish, `publish ${topic.name}`, {
        kind: "producer",
        attributes: { "messaging.system": "nsq", "messaging.destination.name": topic.name }
      })

  return {
    publish: <A>(topic: string | ClientTopic.Topic<A>, value: A | Uint8Array | string) => {
      const [name, body] = encode(topic, value)
      return trace(topic, Effect.flatMap(body, (bytes) => run(name, encodePub(name, bytes))))
    },
    publishAll: <A>(topic: string | ClientTopic.Topic<A>, values: ReadonlyArray<A | Uint8Array | string>) => {
      const publish = Effect.flatMap(
        Effect.forEach(values, (value) => encode(topic, value)[1]),
        ([first, ...rest]) => {
          if (first === undefined) return Effect.void
          const name = typeof topic === "string" ? TopicName.make(topic) : topic.name
          return run(name, encodeCommand({ _tag: "MPUB", topic: name, bodies: [first, ...rest] }))
        }
      )
      return trace(topic, publish)
    },
    publishDeferred: <A>(
      topic: string | ClientTopic.Topic<A>,
      value: A | Uint8Array | string,
      delay: Duration.Input
    ) => {
      const [name, encoded] = encode(topic, value)
      const deferMillis = Math.round(Duration.toMillis(Duration.fromInputUnsafe(delay)))
      const publish = Effect.flatMap(
        encoded,
        (body) => run(name, encodeCommand({ _tag: "DPUB", topic: name, deferMillis, body }))
      )
      return trace(topic, publish)
    },
    connected: Effect.sync(() => outgoing.links.map(({ connection }) => connection.address))
  }
})

/**
 * The producer as a service.
 *
 * @since 0.1.0
 * @category services
 */
export class Producer extends Context.Service<Producer, ProducerService>()("effect-nsq/client/Producer") {
  /** Provides a producer that is connected while the Layer is in use. */
  static readonly layer = (
    options: ProducerOptions
  ): Layer.Layer<Producer, never, Transport | HttpClient.HttpClient> => Layer.effect(Producer, make(options))
}
