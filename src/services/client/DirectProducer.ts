/**
 * A Producer whose publishes need no fiber: programs without Effect pass a callback.
 *
 * Hot path, with plain callbacks: the commands of many publishes go out in one write; replies are matched to them in order.
 */
import { Clock, Deferred, Duration, Effect, Exit, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import * as Time from "../core/Time.ts"
import { Wakeup } from "../core/Wakeup.ts"
import type { Transport } from "../net/Transport.ts"
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import type * as ClientTopic from "./ClientTopic.ts"
import { Connections } from "./Connections.ts"
import * as HeadersPublish from "./HeadersPublish.ts"
import { Link } from "./Link.ts"
import * as Links from "./Links.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"
import { Outgoing, tickInterval } from "./Outgoing.ts"
import type { ProducerOptions, PublishOptions } from "./ProducerOptions.ts"
import type { Body, ProducerService } from "./ProducerService.ts"
import * as PublishCommands from "./PublishCommands.ts"
import { PublishCounts } from "./PublishCounts.ts"
import type { Complete, PublishCommand } from "./Publishing.ts"

/** A Producer, and publishes without an Effect. */
export interface DirectProducer extends ProducerService {
  /** Publishes a message once, without headers and retries; `complete` gets the result, possibly before this returns. */
  readonly publishDirectly: (topic: string, body: Body, key: string | undefined, complete: Complete) => void
}

const defaultMaxMsgSize = 1024 * 1024
const defaultMaxBodySize = 5 * 1024 * 1024

const toMillis = (input: Duration.Input | undefined, fallback: Duration.Input): number =>
  Duration.toMillis(Duration.fromInputUnsafe(input ?? fallback))

const bytesOf = (body: Body): Uint8Array => typeof body === "string" ? Buffer.from(body) : body

/** Creates a producer that is connected until the Scope closes; see `Producer.make`. */
export const make = Effect.fn("Producer.make")(function*(
  options: ProducerOptions
): Effect.fn.Return<DirectProducer, never, Transport | HttpClient.HttpClient | Scope.Scope> {
  const { maxBodySize = defaultMaxBodySize, maxMsgSize = defaultMaxMsgSize, resend = true, retry } = options
  const publishTimeout = Math.max(1, toMillis(options.publishTimeout, "30 seconds"))
  const silenceLimit = toMillis(options.silenceLimit, "750 millis")
  const clock = yield* Clock.Clock
  const counts = new PublishCounts()
  const busy = new Wakeup()
  let limits: PublishCommands.PublishLimits = { maxMsgSize, maxBodySize }
  const connections = new Connections()
  const outgoing = new Outgoing({
    maxInFlight: options.maxInFlight ?? 2000,
    waitForServer: options.waitForServer !== false,
    resend,
    silenceLimit,
    publishTimeout,
    sticky: options.balance === "sticky",
    servers: connections,
    counts,
    now: Time.fromClock(clock).monotonicMillis,
    onBusy: busy.call
  })
  connections.watch(() => outgoing.serversChanged())

  /** Records the number of connections, and the largest message that one of them takes. */
  const noteLinks = (): void => {
    const { links } = outgoing
    const largest = links.map(({ connection }) => connection.features.max_msg_size ?? maxMsgSize)
    limits = { maxMsgSize: links.length === 0 ? maxMsgSize : Math.max(...largest), maxBodySize }
    counts.connections = links.length
    busy.call()
  }

  const use = Effect.fnUntraced(function*(connection: NsqdConnection, { connected, served }: Links.Progress) {
    const { address } = connection
    const dropped = yield* Deferred.make<never, ClientError>()
    const drop = (description: string): void => {
      const reason = ClientErrorReason.ConnectionLoss({ address, description })
      Deferred.doneUnsafe(dropped, Effect.fail(new ClientError({ reason })))
    }
    const link = new Link(connection, drop, served)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        outgoing.connect(link)
        noteLinks()
        connected()
      }),
      () =>
        Effect.sync(() => {
          outgoing.lose(link)
          noteLinks()
        })
    )
    const frames = connection.run({
      onResponse: () => outgoing.reply(link, undefined),
      onError: (reason) => outgoing.reply(link, reason),
      onMessage: () => {},
      awaited: () => link.unconfirmed.length
    })
    return yield* Effect.raceFirst(frames, Deferred.await(dropped))
  })

  // After the connections have ended.
  yield* Effect.addFinalizer(() => counts.report)
  yield* Links.run({
    servers: options.servers,
    connection: options.connection ?? {},
    topic: undefined,
    use,
    connections,
    onUnavailable: () => {
      counts.disconnections++
      busy.call()
    }
  })

  const ticking = Effect.gen(function*() {
    while (true) {
      yield* busy.wait
      outgoing.resumeTicks()
      do {
        yield* counts.report
        yield* Effect.sleep(tickInterval)
        outgoing.tick()
      } while (!outgoing.isIdle)
      yield* counts.report
    }
  })
  yield* Effect.forkScoped(ticking)
  yield* Effect.addFinalizer(() => Effect.sync(() => outgoing.close()))

  /** Sends a command of the fiber that `resume` continues. */
  const submit = (made: PublishCommand | ClientError, resume: Complete): Effect.Effect<void> | undefined => {
    if (made instanceof ClientError) {
      resume(Exit.fail(made))
      return undefined
    }
    const publishing = outgoing.add(made, resume)
    return publishing.settled ? undefined : Effect.sync(() => outgoing.abandon(publishing))
  }

  /** Sends a command, which is made when the Effect runs. */
  const send = (command: () => PublishCommand | ClientError): Effect.Effect<void, ClientError> =>
    Effect.callback((resume) => submit(command(), resume))

  const { traceContext = false } = options

  /** Sends a command of one message, with headers if the publish has some. */
  const sendOne = (
    options: PublishOptions | undefined,
    command: () => PublishCommand | ClientError
  ): Effect.Effect<void, ClientError> =>
    HeadersPublish.isWanted(options, traceContext)
      ? Effect.flatMap(
        HeadersPublish.headersOf(options, traceContext),
        (headers) => send(() => PublishCommands.withHeaders(command(), headers()))
      )
      : send(command)

  /** Sends commands of one message each together; fails with the first failure after all have ended. */
  const sendEach = Effect.fnUntraced(function*<A>(
    topic: string | ClientTopic.Topic<A>,
    options: PublishOptions | undefined,
    bodies: ReadonlyArray<Uint8Array>,
    make: (body: Uint8Array) => PublishCommand | ClientError
  ) {
    const headers = yield* HeadersPublish.headersOf(options, traceContext)
    const commands: Array<PublishCommand> = []
    for (const [index, body] of bodies.entries()) {
      const command = PublishCommands.withHeaders(make(body), headers(index))
      if (command instanceof ClientError) return yield* command
      commands.push(command)
    }
    const publishes = commands.map((command) => Effect.exit(finished(topic, send(() => command))))
    const exits = yield* Effect.all(publishes, { concurrency: "unbounded" })
    yield* Effect.all(exits, { discard: true })
  })

  const canRetry = (error: ClientError): boolean => error.isRetryable && (resend || !error.mayBeDelivered)

  /** Retries a publish, and wraps that of a traced topic in a span. */
  const finished = <A>(
    topic: string | ClientTopic.Topic<A>,
    publish: Effect.Effect<void, ClientError>
  ): Effect.Effect<void, ClientError> => {
    const retried = retry === undefined ? publish : Effect.retry(publish, { schedule: retry, while: canRetry })
    return typeof topic === "string" || topic.linkOf === undefined ?
      retried :
      Effect.withSpan(retried, `publish ${topic.name}`, {
        kind: "producer",
        attributes: { "messaging.system": "nsq", "messaging.destination.name": topic.name }
      })
  }

  const nameOf = <A>(topic: string | ClientTopic.Topic<A>): string => typeof topic === "string" ? topic : topic.name

  /** Returns the encoded body. */
  const encode = <A>(topic: string | ClientTopic.Topic<A>, value: A | Body): Effect.Effect<Uint8Array, ClientError> =>
    typeof topic === "string" ? Effect.succeed(bytesOf(value as Body)) : topic.encode(value as A)

  const encodeAll = <A>(topic: string | ClientTopic.Topic<A>, values: ReadonlyArray<A | Body>) =>
    Effect.forEach(values, (value) => encode(topic, value))

  return {
    publish: <A>(topic: string | ClientTopic.Topic<A>, value: A | Body, options?: PublishOptions) =>
      finished(
        topic,
        typeof topic === "string"
          ? sendOne(options, () => PublishCommands.pub(topic, bytesOf(value as Body), options?.key, limits))
          : Effect.flatMap(
            topic.encode(value as A),
            (body) => sendOne(options, () => PublishCommands.pub(topic.name, body, options?.key, limits))
          )
      ),
    publishAll: <A>(
      topic: string | ClientTopic.Topic<A>,
      values: ReadonlyArray<A | Body>,
      options?: PublishOptions
    ) =>
      !HeadersPublish.isWanted(options, traceContext)
        ? finished(
          topic,
          Effect.flatMap(encodeAll(topic, values), (bodies) =>
            bodies.length === 0
              ? Effect.void
              : send(() => PublishCommands.mpub(nameOf(topic), bodies, options?.key, limits)))
        )
        : Effect.flatMap(encodeAll(topic, values), (bodies) =>
          sendEach(topic, options, bodies, (body) =>
            PublishCommands.pub(nameOf(topic), body, options?.key, limits))),
    publishDeferred: <A>(
      topic: string | ClientTopic.Topic<A>,
      value: A | Body,
      delay: Duration.Input,
      options?: PublishOptions
    ) =>
      finished(
        topic,
        Effect.flatMap(encode(topic, value), (body) =>
          sendOne(options, () => PublishCommands.dpub(nameOf(topic), body, delay, options?.key, limits)))
      ),
    publishAllDeferred: Effect.fnUntraced(function*<A>(
      topic: string | ClientTopic.Topic<A>,
      values: ReadonlyArray<A | Body>,
      delay: Duration.Input,
      options?: PublishOptions
    ) {
      const bodies = yield* encodeAll(topic, values)
      yield* sendEach(
        topic,
        options,
        bodies,
        (body) => PublishCommands.dpub(nameOf(topic), body, delay, options?.key, limits)
      )
    }),
    publishDirectly: (topic, body, key, complete) =>
      void submit(PublishCommands.pub(topic, bytesOf(body), key, limits), complete),
    connected: Effect.sync(() => outgoing.links.map(({ connection }) => connection.address)),
    awaitConnected: connections.awaitConnected,
    connectionStates: connections.changes
  }
})
