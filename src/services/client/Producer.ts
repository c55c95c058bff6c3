/**
 * Publishes to one of several nsqd: each message goes to one that is connected, is confirmed by it, and goes to another one when
 * that is lost or gives no reply for a while. So a message may arrive twice and is not lost: delivery is at least once.
 *
 * Hot path: commands of many fibers go out in one write, replies are matched to them first in, first out.
 */
import { Clock, Context, Deferred, Duration, Effect, Layer, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import { encodeCommand } from "../../protocol/client/Command.ts"
import { TopicName } from "../../protocol/client/Names.ts"
import type { Transport } from "../net/Transport.ts"
import type * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import type { Servers } from "./Discovery.ts"
import * as Links from "./Links.ts"
import { type NsqdConnection, NsqdUnavailable } from "./NsqdConnection.ts"
import { Link, Outgoing, type PublishFailed, type Publishing, tickInterval } from "./Outgoing.ts"

export interface ProducerOptions {
  /** The nsqd to publish to, or the nsqlookupd that know all of them. */
  readonly servers: Servers
  readonly connection?: ConnectionOptions
  /** Publishes sent and not confirmed at a time; those beyond wait. 2000 unless said otherwise. */
  readonly maxInFlight?: number
  /** How long a publish may wait for a server and its reply. Default: 30 s. */
  readonly publishTimeout?: Duration.Input
  /**
   * How long a server may reply to nothing of what it was sent before others get what it has not confirmed; new publishes avoid
   * it after a third of that time. Default: 750 ms.
   */
  readonly silenceLimit?: Duration.Input
  /**
   * Whether a publish whose server is lost or silent goes to another server, so that it may arrive twice. If not, it fails with
   * the outcome `unknown`: at once when the connection is lost, after `publishTimeout` when the server is silent. Default: true.
   */
  readonly resend?: boolean
  /**
   * Whether a publish waits while no server is connected. If not, it fails once the first attempts to connect have ended, and
   * when the only connection is lost, or silent for `silenceLimit`, before it is confirmed; the outcome is `unknown` then.
   * Default: true.
   */
  readonly waitForServer?: boolean
}

type PublishError = PublishFailed | ClientTopic.MessageCodecError

/** Publishing. Each Effect completes once a server has confirmed; publish from several fibers to have many under way. */
export interface ProducerService {
  /** Publishes bytes to a topic by name, or a value to a topic with a Schema. */
  readonly publish: {
    (topic: string, body: Uint8Array | string): Effect.Effect<void, PublishError>
    <A>(topic: ClientTopic.Topic<A>, value: A): Effect.Effect<void, PublishError>
  }
  /** Publishes all with one command: all of them arrive at the same server, or none. */
  readonly publishAll: {
    (topic: string, bodies: ReadonlyArray<Uint8Array | string>): Effect.Effect<void, PublishError>
    <A>(topic: ClientTopic.Topic<A>, values: ReadonlyArray<A>): Effect.Effect<void, PublishError>
  }
  /** Publishes a message that is delivered after the delay. */
  readonly publishDeferred: {
    (topic: string, body: Uint8Array | string, delay: Duration.Input): Effect.Effect<void, PublishError>
    <A>(topic: ClientTopic.Topic<A>, value: A, delay: Duration.Input): Effect.Effect<void, PublishError>
  }
  /** Addresses of the nsqd that are connected. */
  readonly connected: Effect.Effect<ReadonlyArray<string>>
}

const commandLines = new Map<string, Buffer>()
const maxCommandLines = 1000

/** `PUB` as bytes; the command line of a topic is made once. */
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

/** A producer, connected until the Scope closes. */
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
  const now = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

  const use = Effect.fnUntraced(function*(connection: NsqdConnection) {
    const dropped = yield* Deferred.make<never, NsqdUnavailable>()
    const link = new Link(
      connection,
      (reason) =>
        Deferred.doneUnsafe(dropped, Effect.fail(new NsqdUnavailable({ address: connection.address, reason })))
    )
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
    onUnavailable: ({ message }) => outgoing.noteUnavailable(message)
  })
  yield* Effect.sync(() => outgoing.tick(now())).pipe(
    Effect.delay(tickInterval),
    Effect.forever,
    Effect.forkScoped
  )
  // No server replies any more; the publishers are told.
  yield* Effect.addFinalizer(() => Effect.sync(() => outgoing.expire(Infinity)))

  const run = (topic: TopicName, bytes: Buffer): Effect.Effect<void, PublishFailed> =>
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

  /** Bodies for a topic by name are bytes or text; for others the topic says what they are. */
  const encode = <A>(
    topic: string | ClientTopic.Topic<A>,
    value: A | Uint8Array | string
  ): readonly [TopicName, Effect.Effect<Uint8Array, ClientTopic.MessageCodecError>] =>
    typeof topic === "string"
      ? [TopicName.make(topic), Effect.sync(() => bodyOf(value as Uint8Array | string))]
      : [topic.name, topic.encode(value as A)]

  /** A span around the publish of a traced topic. */
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

export class Producer extends Context.Service<Producer, ProducerService>()("effect-nsq/client/Producer") {
  static readonly layer = (
    options: ProducerOptions
  ): Layer.Layer<Producer, never, Transport | HttpClient.HttpClient> => Layer.effect(Producer, make(options))
}
