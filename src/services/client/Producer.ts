/**
 * Publishes to one of several nsqd: each message goes to one that is connected, is confirmed by it, and goes to another one when
 * that is lost before it answered. So a message may arrive twice and is not lost: delivery is at least once.
 *
 * Hot path: commands of many fibers go out in one write, answers are matched to them first in, first out.
 */
import { Clock, Context, Duration, Effect, Layer, Schema, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import { encodeCommand } from "../../protocol/Command.ts"
import { TopicName } from "../../protocol/Names.ts"
import type { Transport } from "../transport/Transport.ts"
import type * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import type { Servers } from "./Discovery.ts"
import { Line } from "./Line.ts"
import * as Links from "./Links.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"

/** A message was not published: the server refused it, or there was none for too long. */
export class PublishFailed extends Schema.TaggedError<PublishFailed>()("PublishFailed", {
  topic: Schema.String,
  /** The server's words, such as `E_BAD_TOPIC ...`, or why no server took it. */
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.topic}: ${this.reason}`
  }
}

export interface ProducerOptions {
  /** The nsqd to publish to, or the nsqlookupd that know all of them. */
  readonly servers: Servers
  readonly connection?: ConnectionOptions
  /** Publishes sent and not confirmed at a time; those beyond wait. 2000 unless said otherwise. */
  readonly maxInFlight?: number
  /** How long a publish may wait for a server and its answer, 30 s unless said otherwise. */
  readonly publishTimeout?: Duration.Input
  /**
   * Whether a publish waits while no server is connected. If not, it fails once the first attempts to connect have ended, and
   * when the only connection is lost before it is confirmed; it may have arrived then. True unless said otherwise.
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

/** A publish on its way. */
interface Publishing {
  readonly topic: string
  readonly bytes: Buffer
  /** When it fails for want of an answer, in monotonic ms. */
  readonly deadline: number
  /** Nobody waits for it any more, but the server may still answer it. */
  abandoned: boolean
  readonly settle: (failure: PublishFailed | undefined) => void
}

/** A connection, and the publishes it has not answered, oldest first. */
interface Link {
  readonly connection: NsqdConnection
  readonly unanswered: Line<Publishing>
}

/** Publishes waiting for a server, and those that a server has. Synchronous: each step sends what can be sent. */
class Outgoing {
  readonly links: Array<Link> = []
  private waiting = new Line<Publishing>()
  private inFlight = 0
  private turn = 0
  private readonly maxInFlight: number
  private readonly waitsForServer: boolean
  /** Why no server is connected, once that is known. */
  private unavailable: string | undefined

  constructor(maxInFlight: number, waitsForServer: boolean) {
    this.maxInFlight = maxInFlight
    this.waitsForServer = waitsForServer
  }

  add(publishing: Publishing): void {
    this.waiting.push(publishing)
    this.send()
    this.failWithoutServer()
  }

  /** There is no connection to a server, because of this. */
  noteUnavailable(reason: string): void {
    this.unavailable = reason
    this.failWithoutServer()
  }

  private failWithoutServer(): void {
    const { unavailable } = this
    if (this.waitsForServer || unavailable === undefined || this.links.length > 0) return
    for (let next = this.waiting.take(); next !== undefined; next = this.waiting.take()) fail(next, unavailable)
  }

  private send(): void {
    while (this.links.length > 0 && this.inFlight < this.maxInFlight) {
      const next = this.waiting.take()
      if (next === undefined) return
      if (next.abandoned) continue
      const link = this.links[this.turn++ % this.links.length]!
      this.inFlight++
      link.unanswered.push(next)
      link.connection.send(next.bytes)
    }
  }

  connect(link: Link): void {
    this.links.push(link)
    this.send()
  }

  /** What the server had goes to another one. */
  lose(link: Link): void {
    this.links.splice(this.links.indexOf(link), 1)
    this.inFlight -= link.unanswered.length
    const before = this.waiting
    this.waiting = link.unanswered
    for (const publishing of before) this.waiting.push(publishing)
    this.send()
    this.noteUnavailable(`${link.connection.address}: the connection is lost`)
  }

  answer(link: Link, refusal: string | undefined): void {
    const publishing = link.unanswered.take()
    if (publishing === undefined) return
    this.inFlight--
    if (!publishing.abandoned) {
      const { topic } = publishing
      publishing.settle(refusal === undefined ? undefined : new PublishFailed({ topic, reason: refusal }))
    }
    this.send()
  }

  /** Fails what has been under way for too long. All have the same time, so the oldest come first. */
  expire(now: number): void {
    const reason = this.links.length === 0 ? "no nsqd is connected" : "no answer in time"
    for (const line of [this.waiting, ...this.links.map(({ unanswered }) => unanswered)]) {
      for (const publishing of line) {
        if (publishing.deadline > now) break
        fail(publishing, reason)
      }
    }
  }
}

const fail = (publishing: Publishing, reason: string): void => {
  if (publishing.abandoned) return
  publishing.abandoned = true
  publishing.settle(new PublishFailed({ topic: publishing.topic, reason }))
}

/** How exactly a publish that finds no server is ended. */
const expiryInterval = "100 millis"

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
  const outgoing = new Outgoing(options.maxInFlight ?? 2000, options.waitForServer !== false)
  const publishTimeout = Duration.toMillis(Duration.fromInputUnsafe(options.publishTimeout ?? "30 seconds"))
  const clock = yield* Clock.Clock
  const now = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

  const use = Effect.fnUntraced(function*(connection: NsqdConnection) {
    const link: Link = { connection, unanswered: new Line() }
    yield* Effect.acquireRelease(
      Effect.sync(() => outgoing.connect(link)),
      () => Effect.sync(() => outgoing.lose(link))
    )
    return yield* connection.run({
      onResponse: () => outgoing.answer(link, undefined),
      onError: (reason) => outgoing.answer(link, reason),
      onMessage: () => {}
    })
  })

  yield* Links.run({
    servers: options.servers,
    connection: options.connection ?? {},
    topic: undefined,
    use,
    onUnavailable: ({ message }) => outgoing.noteUnavailable(message)
  })
  yield* Effect.sync(() => outgoing.expire(now())).pipe(
    Effect.delay(expiryInterval),
    Effect.forever,
    Effect.forkScoped
  )
  // Nobody answers any more; whoever waits is told.
  yield* Effect.addFinalizer(() => Effect.sync(() => outgoing.expire(Infinity)))

  const run = (topic: TopicName, bytes: Buffer): Effect.Effect<void, PublishFailed> =>
    Effect.callback((resume) => {
      const publishing: Publishing = {
        topic,
        bytes,
        deadline: now() + publishTimeout,
        abandoned: false,
        settle: (failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure))
      }
      outgoing.add(publishing)
      return Effect.sync(() => {
        publishing.abandoned = true
      })
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
