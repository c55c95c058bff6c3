/**
 * Consumes a channel from all nsqd that have the topic: finds them, connects, shares out how many messages may be in flight,
 * slows down when the handler fails, and stops without losing anything. `run` answers messages by the handler's outcome;
 * `messages` leaves that to the program.
 *
 * Hot path: messages go from the read of a socket to a queue in one pass; a fixed number of fibers takes them from there.
 */
import { Cause, Clock, Duration, Effect, Queue, Random, type Scope, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { encodeCommand } from "../../protocol/client/Command.ts"
import type { Transport } from "../net/Transport.ts"
import * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import type { Delivery } from "./Delivery.ts"
import type { Servers } from "./Discovery.ts"
import { Inbox } from "./Inbox.ts"
import * as Links from "./Links.ts"
import { type NsqdConnection, NsqdUnavailable } from "./NsqdConnection.ts"
import { type Held, Member, Subscription } from "./Subscription.ts"

export interface ConsumerOptions<A> {
  /** By name for bytes, or with a Schema for values. */
  readonly topic: ClientTopic.Topic<A>
  readonly channel: string
  readonly servers: Servers
  readonly connection?: ConnectionOptions
  /** Messages in flight over all connections, 1 unless said otherwise. */
  readonly maxInFlight?: number
  /** How often a message may be delivered before it is given up; 0 for ever, 5 unless said otherwise. */
  readonly maxAttempts?: number
  /** Told of a message that is given up, before it is finished; if this dies, the message is requeued. */
  readonly onGivenUp?: (delivery: Delivery<A>) => Effect.Effect<void>
  /** The delay of the first automatic requeue, 90 s unless said otherwise; the nth is n times as long. */
  readonly defaultRequeueDelay?: Duration.Input
  /** 15 minutes unless said otherwise. */
  readonly maxRequeueDelay?: Duration.Input
  /** The longest pause of a backoff, 2 minutes unless said otherwise; 0 for no backoff. */
  readonly maxBackoffDuration?: Duration.Input
  /** Half the first pause of a backoff, 1 s unless said otherwise. */
  readonly backoffMultiplier?: Duration.Input
  /** 10 s unless said otherwise: how long a connection may keep a turn without a message, where turns are scarce. */
  readonly lowReadyIdleTimeout?: Duration.Input
  /** Keeps messages that a handler has had for long from timing out, up to the server's limit. True unless said otherwise. */
  readonly autoTouch?: boolean
}

export interface RunOptions {
  /** Handlers at work at the same time; as many as messages may be in flight unless said otherwise, 1000 at most. */
  readonly concurrency?: number
}

export interface Consumer<A> {
  /** Messages as they come, each to be answered by the program. Ends when the consumer has stopped. */
  readonly messages: Stream.Stream<Delivery<A>>
  /**
   * Handles messages until the consumer stops: finishes those whose handler succeeds, requeues those whose handler fails. When
   * this is interrupted, so are the handlers, and their messages go back at once.
   */
  readonly run: <E, R>(
    handler: (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>,
    options?: RunOptions
  ) => Effect.Effect<void, never, R>
  /** Takes no more messages, waits until those in flight are answered, at most 30 s, and ends. */
  readonly stop: Effect.Effect<void>
  /** Whether some connection has most of what it may have in flight: more handlers would help. */
  readonly isStarved: Effect.Effect<boolean>
  readonly connected: Effect.Effect<ReadonlyArray<string>>
}

const maxConcurrency = 1000
const stopTimeout = "30 seconds"
const redistributeInterval = "5 seconds"
/** A held message is touched when a third of its time has passed. */
const touchFraction = 1 / 3

/** Errors that concern a message and leave the connection as it is. */
const harmless = /^E_(FIN|REQ|TOUCH)_FAILED/

const toMillis = (input: Duration.Input | undefined, fallback: Duration.Input): number =>
  Duration.toMillis(Duration.fromInputUnsafe(input ?? fallback))

/** A consumer, connected until the Scope closes; then what it has and has not answered goes back at once. */
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
    () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000,
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
    const problems = yield* Queue.unbounded<string>()
    const report = Effect.forever(Effect.flatMap(Queue.take(problems), (text) => {
      const line = `(${connection.address}) error from nsqd: ${text}`
      return harmless.test(text)
        ? Effect.logWarning(line)
        : Effect.fail(new NsqdUnavailable({ address: connection.address, reason: text }))
    }))
    const frames = connection.run({
      onResponse: () => {},
      onError: (text) => void Queue.offerUnsafe(problems, text),
      onMessage: (data) => {
        const delivery = subscription.receive(member, data)
        if (delivery !== undefined) inbox.push(delivery)
        // nsqd counts it as in flight, and it can neither be handled nor acknowledged.
        else Queue.offerUnsafe(problems, `a message of ${data.length} bytes is too short`)
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

  /** Touches what has been held for a third of its time. */
  const touching = Effect.gen(function*() {
    while (true) {
      const now = Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
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
  // Runs before the connections end: what is still queued goes back over them.
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

  /** A span around the handling of a traced topic's message, linked to that of its publish. */
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
    const work = Effect.suspend((): Effect.Effect<unknown, E | ClientTopic.MessageCodecError, R> => {
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

  /** Handles one message after another; the one at hand goes back when this is interrupted. */
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
      const answered = Effect.gen(function*() {
        while (subscription.inFlight > 0) yield* subscription.settled.wait
      })
      yield* Effect.timeoutOption(answered, stopTimeout)
      inbox.end()
    }),
    isStarved: Effect.sync(() =>
      subscription.members.some(({ inFlight, ready }) => inFlight > 0 && inFlight >= Math.floor(0.85 * ready))
    ),
    connected: Effect.sync(() => subscription.members.map(({ connection }) => connection.address))
  }
})
