/**
 * Publishes to one of several nsqd: each message goes to one that is connected, is confirmed by it, and goes to another one when
 * that is lost before it answered. So a message may arrive twice and is not lost: delivery is at least once.
 *
 * Hot path: commands of many fibers go out in one write, answers are matched to them first in, first out.
 */
import { Context, Duration, Effect, Latch, Layer, Schema, type Scope, Semaphore } from "effect"
import type { HttpClient } from "effect/http"
import { type Command, encodeCommand } from "../../protocol/Command.ts"
import type { Transport } from "../transport/Transport.ts"
import * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import type { Servers } from "./Discovery.ts"
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

type Outcome = { readonly _tag: "confirmed" | "lost" } | { readonly _tag: "refused"; readonly reason: string }

/** A connection, and the publishes it has not answered, oldest first. */
class Link {
  readonly connection: NsqdConnection
  private waiting: Array<(outcome: Outcome) => void> = []
  private head = 0

  constructor(connection: NsqdConnection) {
    this.connection = connection
  }

  get inFlight(): number {
    return this.waiting.length - this.head
  }

  send(bytes: Uint8Array, done: (outcome: Outcome) => void): void {
    this.waiting.push(done)
    this.connection.send(bytes)
  }

  answer(outcome: Outcome): void {
    const done = this.waiting[this.head]
    if (done === undefined) return
    this.head++
    if (this.head > 1024 && this.head * 2 > this.waiting.length) {
      this.waiting = this.waiting.slice(this.head)
      this.head = 0
    }
    done(outcome)
  }

  lose(): void {
    while (this.inFlight > 0) this.answer({ _tag: "lost" })
  }
}

const confirmed: Outcome = { _tag: "confirmed" }

const bytesOf = (topic: string) => ({
  ...ClientTopic.bytes(topic),
  encode: (body: Uint8Array | string) => Effect.succeed(typeof body === "string" ? Buffer.from(body) : body)
})

/** A producer, connected until the Scope closes. */
export const make = Effect.fn("Producer.make")(function*(
  options: ProducerOptions
): Effect.fn.Return<ProducerService, never, Transport | HttpClient.HttpClient | Scope.Scope> {
  const links: Array<Link> = []
  const available = yield* Latch.make(false)
  const permits = yield* Semaphore.make(options.maxInFlight ?? 2000)
  const publishTimeout = Duration.fromInputUnsafe(options.publishTimeout ?? "30 seconds")
  const waits = options.waitForServer !== false
  /** Open once there is something to say of the servers: there is one, or why there is none. */
  const tried = yield* Latch.make(false)
  let unavailable = "no nsqd is connected"
  let turn = 0

  const use = Effect.fnUntraced(function*(connection: NsqdConnection) {
    const link = new Link(connection)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        links.push(link)
        available.openUnsafe()
        tried.openUnsafe()
      }),
      () =>
        Effect.sync(() => {
          links.splice(links.indexOf(link), 1)
          if (links.length === 0) available.closeUnsafe()
          unavailable = `${connection.address}: the connection is lost`
          link.lose()
        })
    )
    return yield* connection.run({
      onResponse: () => link.answer(confirmed),
      onError: (reason) => link.answer({ _tag: "refused", reason }),
      onMessage: () => {}
    })
  })

  yield* Links.run({
    servers: options.servers,
    connection: options.connection ?? {},
    topic: undefined,
    use,
    onUnavailable: ({ message }) => {
      unavailable = message
      tried.openUnsafe()
    }
  })

  const attempt = (bytes: Uint8Array): Effect.Effect<Outcome> =>
    Effect.callback((resume) => {
      const link = links[turn++ % Math.max(1, links.length)]
      if (link === undefined) return resume(Effect.succeed({ _tag: "lost" }))
      link.send(bytes, (outcome) => resume(Effect.succeed(outcome)))
    })

  /** Sends until a server has answered: to the next one whenever one is lost. */
  const send = (topic: string, bytes: Uint8Array): Effect.Effect<void, PublishFailed> =>
    Effect.flatMap(attempt(bytes), (outcome) => {
      switch (outcome._tag) {
        case "confirmed":
          return Effect.void
        case "refused":
          return Effect.fail(new PublishFailed({ topic, reason: outcome.reason }))
        case "lost":
          return Effect.andThen(server(topic), Effect.suspend(() => send(topic, bytes)))
      }
    })

  /** Completes when there is a server to send to. */
  const server = (topic: string): Effect.Effect<void, PublishFailed> =>
    waits ? available.await : Effect.flatMap(
      tried.await,
      () => links.length === 0 ? Effect.fail(new PublishFailed({ topic, reason: unavailable })) : Effect.void
    )

  const run = (topic: string, command: Command): Effect.Effect<void, PublishFailed> =>
    permits.withPermit(send(topic, encodeCommand(command))).pipe(
      Effect.timeoutOrElse({
        duration: publishTimeout,
        orElse: () => {
          const reason = links.length === 0 ? "no nsqd is connected" : "no answer in time"
          return Effect.fail(new PublishFailed({ topic, reason }))
        }
      })
    )

  const resolve = <A>(topic: string | ClientTopic.Topic<A>): ClientTopic.Topic<A> =>
    typeof topic === "string" ? bytesOf(topic) as unknown as ClientTopic.Topic<A> : topic

  return {
    publish: <A>(topic: string | ClientTopic.Topic<A>, value: A) => {
      const { encode, name } = resolve(topic)
      return Effect.flatMap(encode(value), (body) => run(name, { _tag: "PUB", topic: name, body }))
    },
    publishAll: <A>(topic: string | ClientTopic.Topic<A>, values: ReadonlyArray<A>) => {
      const { encode, name } = resolve(topic)
      return Effect.flatMap(
        Effect.forEach(values, encode),
        ([first, ...rest]) =>
          first === undefined ? Effect.void : run(name, { _tag: "MPUB", topic: name, bodies: [first, ...rest] })
      )
    },
    publishDeferred: <A>(topic: string | ClientTopic.Topic<A>, value: A, delay: Duration.Input) => {
      const { encode, name } = resolve(topic)
      const deferMillis = Math.round(Duration.toMillis(Duration.fromInputUnsafe(delay)))
      return Effect.flatMap(encode(value), (body) => run(name, { _tag: "DPUB", topic: name, deferMillis, body }))
    },
    connected: Effect.sync(() => links.map(({ connection }) => connection.address))
  }
})

export class Producer extends Context.Service<Producer, ProducerService>()("effect-nsq/client/Producer") {
  static readonly layer = (
    options: ProducerOptions
  ): Layer.Layer<Producer, never, Transport | HttpClient.HttpClient> => Layer.effect(Producer, make(options))
}
