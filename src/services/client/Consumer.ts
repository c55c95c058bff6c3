/**
 * Consumes a channel from all nsqd that have the topic: finds them, connects, distributes the messages in flight over the
 * connections, backs off when the handler fails, and stops without losing messages. `run` acknowledges each message by the
 * result of its handler; with `messages` the program acknowledges.
 *
 * Hot path: messages go from the read of a socket to a queue in one pass; a fixed number of fibers takes them from there.
 */
import { Cause, Clock, Duration, Effect, Queue, Random, type Scope, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { encodeCommand } from "../../protocol/client/Command.ts"
import { isFatal, parseErrorCode } from "../../protocol/client/ProtocolError.ts"
import * as Time from "../core/Time.ts"
import type { Transport } from "../net/Transport.ts"
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import type { Delivery } from "./Delivery.ts"
import type { Servers } from "./Discovery.ts"
import { Inbox } from "./Inbox.ts"
import * as Links from "./Links.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"
import { type Held, Member, Subscription } from "./Subscription.ts"

/**
 * Options of a consumer.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConsumerOptions<A> {
  /** Name of a topic of bytes (`Topic.bytes`), or a topic with a Schema. */
  readonly topic: ClientTopic.Topic<A>
  readonly channel: string
  readonly servers: Servers
  readonly connection?: ConnectionOptions
  /** Messages in flight over all connections. Default: 1. */
  readonly maxInFlight?: number
  /** Deliveries of a message before the consumer gives it up; 0 for no limit. Default: 5. */
  readonly maxAttempts?: number
  /**
   * Runs for a message that is given up, before it is finished; if it dies, the message is requeued. Default: logs a warning.
   */
  readonly onGivenUp?: (delivery: Delivery<A>) => Effect.Effect<void>
  /** Delay of the first automatic requeue; that of the nth is n times as long. Default: 90 s. */
  readonly defaultRequeueDelay?: Duration.Input
  /** Longest delay of an automatic requeue. Default: 15 min. */
  readonly maxRequeueDelay?: Duration.Input
  /** Longest wait of a backoff; 0 disables backoff. Default: 2 min. */
  readonly maxBackoffDuration?: Duration.Input
  /** Half the first wait of a backoff. Default: 1 s. */
  readonly backoffMultiplier?: Duration.Input
  /**
   * Time without a message after which a connection passes its turn, if there are more connections than `maxInFlight`. Default:
   * 10 s.
   */
  readonly lowReadyIdleTimeout?: Duration.Input
  /** Touches messages in the hands of a handler before they time out, up to the server's limit. Default: true. */
  readonly autoTouch?: boolean
}

/**
 * Options of `Consumer.run`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions {
  /** Concurrent handlers. Default: `maxInFlight`, at most 1000. */
  readonly concurrency?: number
}

/**
 * A consumer of one channel. It ends when its Scope closes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Consumer<A> {
  /** The messages; the program acknowledges each. Ends when the consumer has stopped. */
  readonly messages: Stream.Stream<Delivery<A>>
  /**
   * Handles messages until the consumer stops: finishes those whose handler succeeds, requeues those whose handler fails. An
   * interruption interrupts the handlers, and their messages are requeued at once.
   */
  readonly run: <E, R>(
    handler: (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>,
    options?: RunOptions
  ) => Effect.Effect<void, never, R>
  /** Takes no more messages, waits up to 30 s until those in flight are acknowledged, and ends `run` and `messages`. */
  readonly stop: Effect.Effect<void>
  /** Whether a connection has at least 85 % of its RDY count in flight, so that more handlers would help. */
  readonly isStarved: Effect.Effect<boolean>
  /** Addresses of the nsqd that are connected. */
  readonly connected: Effect.Effect<ReadonlyArray<string>>
}

const maxConcurrency = 1000
const stopTimeout = "30 seconds"
const redistributeInterval = "5 seconds"
/** A held message is touched after this part of its timeout. */
const touchFraction = 1 / 3

/** An error frame, or what is wrong with a message. */
interface Problem {
  readonly description: string
  /** Whether the connection ends; it stays open after an error that concerns one message. */
  readonly fatal: boolean
}

const toMillis = (input: Duration.Input | undefined, fallback: Duration.Input): number =>
  Duration.toMillis(Duration.fromInputUnsafe(input ?? fallback))

/**
 * Creates a consumer that is connected until the Scope closes; then its messages that are not acknowledged are requeued at once.
 * Dies if NSQ does not accept the name of the channel.
 *
 * ```ts
 * const consumer = yield* Consumer.make({ topic: orders, channel: "kitchen", servers: { nsqd: ["127.0.0.1:4150"] } })
 * yield* consumer.run((order) => Effect.log(order.item))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("Consumer.make")(function*<A>(
  options: ConsumerOptions<A>
): Effect.fn.Return<Consumer<A>, never, Transport | HttpClient.HttpClient | Scope.Scope> {
  const { topic } = options
  const channel = ClientTopic.channelName(options.channel)
  const maxInFlight = options.maxInFlight ?? 1
  const maxAttempts = options.maxAttempts ?? 5
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const inbox = new Inbox<Held<A>>()
  const subscription = new Subscription(
    topic,
    {
      maxInFlight,
      defaultRequeueDelay: toMillis(options.defaultRequeueDelay, "90 seconds"),
      maxRequeueDelay: toMillis(options.maxRequeueDelay, "15 minutes"),
      maxBackoffDuration: toMillis(options.maxBackoffDuration, "2 minutes"),
      backoffMultiplier: toMillis(options.backoffMultiplier, "1 second"),
      lowReadyIdleTimeout: toMillis(options.lowReadyIdleTimeout, "10 seconds")
    },
    Time.fromClock(clock).monotonicMillis,
    () => random.nextDoubleUnsafe()
  )

  const use = Effect.fnUntraced(function*(connection: NsqdConnection) {
    const member = new Member(connection)
    connection.send(encodeCommand({ _tag: "SUB", topic: topic.name, channel }))
    if (connection.features.max_rdy_count < maxInFlight) {
      yield* Effect.logWarning(
        `(${connection.address}) max RDY count ${connection.features.max_rdy_count} < consumer max in flight ` +
          `${maxInFlight}, truncation possible`
      )
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => subscription.add(member)),
      () => Effect.sync(() => subscription.remove(member))
    )
    const { address } = connection
    const problems = yield* Queue.unbounded<Problem>()
    const report = Effect.forever(Effect.flatMap(Queue.take(problems), ({ description, fatal }) =>
      fatal
        ? Effect.fail(new ClientError({ reason: ClientErrorReason.ServerRefusal({ address, description }) }))
        : Effect.logWarning(`(${address}) error from nsqd: ${description}`)))
    const frames = connection.run({
      onResponse: () => {},
      onError: (text) => {
        const code = parseErrorCode(text)
        Queue.offerUnsafe(problems, { description: text, fatal: code === undefined || isFatal(code) })
      },
      onMessage: (data) => {
        const delivery = subscription.receive(member, data)
        if (delivery !== undefined) inbox.push(delivery)
        // nsqd counts it as in flight, and the consumer can neither handle nor acknowledge it.
        else Queue.offerUnsafe(problems, { description: `a message of ${data.length} bytes is too short`, fatal: true })
      },
      onPause: () => {
        subscription.endPass()
        inbox.deliver()
      }
    })
    return yield* Effect.raceFirst(frames, report)
  })

  const backingOff = Effect.gen(function*() {
    while (true) {
      yield* subscription.backoffBegins.wait
      const { backoffLevel, backoffMillis } = subscription
      yield* Effect.logWarning(
        `backing off for ${Duration.format(Duration.millis(backoffMillis))} (backoff level ${backoffLevel}), ` +
          "setting all to RDY 0"
      )
      yield* Effect.sleep(backoffMillis)
      subscription.tryAgain()
    }
  })

  const redistributing = Effect.sync(() => subscription.redistribute()).pipe(
    Effect.delay(redistributeInterval),
    Effect.forever
  )

  /** Touches messages that have been held for a third of their timeout. */
  const touching = Effect.gen(function*() {
    while (true) {
      const now = Time.fromClock(clock).monotonicMillis()
      let wait = 1000
      for (const held of subscription.held) {
        const due = held.since + held.member.connection.features.msg_timeout * touchFraction
        if (due <= now) subscription.touch(held)
        else wait = Math.min(wait, due - now)
      }
      yield* Effect.sleep(Math.max(wait, 50))
    }
  })

  yield* Links.run({ servers: options.servers, connection: options.connection ?? {}, topic: topic.name, use })
  // Finalizers run in reverse: this one requeues what is still queued before the connections end.
  yield* Effect.addFinalizer(() => {
    subscription.stop()
    inbox.end()
    return Effect.forEach(inbox.clear(), (delivery) => delivery.requeue({ delay: 0, backoff: false }), {
      discard: true
    })
  })
  yield* Effect.forkScoped(backingOff)
  yield* Effect.forkScoped(redistributing)
  if (options.autoTouch !== false) yield* Effect.forkScoped(touching)

  const tooMany = (delivery: Delivery<A>): boolean => maxAttempts > 0 && delivery.attempts > maxAttempts

  const giveUp = (delivery: Held<A>): Effect.Effect<void> => {
    return options.onGivenUp?.(delivery) ??
      Effect.logWarning(`msg ${delivery.id} attempted ${delivery.attempts} times, giving up`)
  }

  /** Wraps the handling of a traced topic's message in a span that links to the span of its publish. */
  const trace = <B, E, R>(delivery: Held<A>, handling: Effect.Effect<B, E, R>): Effect.Effect<B, E, R> => {
    if (topic.linkOf === undefined) return handling
    const link = topic.linkOf(delivery.body)
    return Effect.withSpan(handling, `process ${topic.name}`, {
      kind: "consumer",
      root: true,
      links: link === undefined ? [] : [link],
      attributes: {
        "messaging.system": "nsq",
        "messaging.destination.name": topic.name,
        "messaging.consumer.group.name": channel,
        "messaging.message.id": delivery.id
      }
    })
  }

  const handle = <E, R>(
    delivery: Held<A>,
    handler: (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>
  ): Effect.Effect<void, never, R> => {
    const work = Effect.suspend((): Effect.Effect<unknown, E | ClientError, R> => {
      if (tooMany(delivery)) return giveUp(delivery)
      subscription.hold(delivery)
      return trace(delivery, Effect.flatMap(delivery.value, (value) => handler(value, delivery)))
    })
    return Effect.matchCauseEffect(work, {
      onSuccess: () => {
        delivery.finishNow()
        return Effect.void
      },
      onFailure: (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? delivery.requeue({ delay: 0, backoff: false })
          : Effect.andThen(Effect.logError(`handler failed for msg ${delivery.id}`, cause), delivery.requeue())
    })
  }

  /** Handles messages in sequence; an interruption requeues the current one. */
  const worker = <E, R>(handler: (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>) =>
    Effect.suspend(() => {
      let current: Held<A> | undefined
      const next = Effect.flatMap(inbox.take, (delivery) => {
        current = delivery
        return handle(delivery, handler)
      })
      return Effect.forever(next).pipe(
        Effect.catchIf(Cause.isDone, () => Effect.void),
        Effect.onInterrupt(() => current?.requeue({ delay: 0, backoff: false }) ?? Effect.void)
      )
    })

  return {
    messages: Stream.fromPull(Effect.succeed(inbox.takeAll)),
    run: (handler, runOptions) => {
      const workers = Math.min(runOptions?.concurrency ?? Math.max(1, maxInFlight), maxConcurrency)
      return Effect.asVoid(Effect.all(Array.from({ length: workers }, () => worker(handler)), {
        concurrency: "unbounded",
        discard: true
      }))
    },
    stop: Effect.gen(function*() {
      subscription.stop()
      const acknowledged = Effect.gen(function*() {
        while (subscription.inFlight > 0) yield* subscription.settled.wait
      })
      yield* Effect.timeoutOption(acknowledged, stopTimeout)
      inbox.end()
    }),
    isStarved: Effect.sync(() =>
      subscription.members.some(({ inFlight, ready }) => inFlight > 0 && inFlight >= Math.floor(0.85 * ready))
    ),
    connected: Effect.sync(() => subscription.members.map(({ connection }) => connection.address))
  }
})
