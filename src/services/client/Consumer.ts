/**
 * Consumes a channel from all nsqd that have the topic: finds them, connects, distributes the messages in flight over the
 * connections, backs off when the handler fails, and stops without losing messages. `run` and `runBatches` acknowledge messages by
 * the result of their handlers; with `messages` the program acknowledges.
 *
 * Hot path: messages go from the read of a socket to a queue in one pass; a fixed number of fibers takes them from there.
 */
import {
  type Array as Arr,
  Clock,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Queue,
  Random,
  Scope,
  type Stream
} from "effect"
import type { HttpClient } from "effect/http"
import { encodePlain } from "../../protocol/client/CommandBytes.ts"
import { isFatal, parseErrorCode } from "../../protocol/client/ErrorCodes.ts"
import * as Time from "../core/Time.ts"
import type { Transport } from "../net/Transport.ts"
import * as Batches from "./Batches.ts"
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionState } from "./Connections.ts"
import * as ConsumerCounts from "./ConsumerCounts.ts"
import * as Options from "./ConsumerOptions.ts"
import type { BatchOptions, ConsumerOptions, RunOptions } from "./ConsumerOptions.ts"
import * as Crew from "./Crew.ts"
import type { Delivery } from "./Delivery.ts"
import { Draining } from "./Draining.ts"
import { Handling } from "./Handling.ts"
import type { Held } from "./Held.ts"
import { Inbox } from "./Inbox.ts"
import * as Links from "./Links.ts"
import { Member } from "./Member.ts"
import * as Messages from "./Messages.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"
import * as Producer from "./Producer.ts"
import { limitsOfServer } from "./ProducerOptions.ts"
import { Subscription } from "./Subscription.ts"

export type { BatchOptions, ConsumerOptions, DeduplicateOptions, RunOptions } from "./ConsumerOptions.ts"

/**
 * A consumer of one channel. It ends when its Scope closes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Consumer<A> {
  /**
   * The messages; the program acknowledges each. Messages with more than `maxAttempts` deliveries and undecodable bodies are dealt
   * with as in `run`. Ends when the consumer has stopped. When the program ends the Stream, messages that it has not received are
   * requeued at once; those that it has received and not acknowledged, also in the buffers of its operators, are requeued when
   * the Scope closes.
   */
  readonly messages: Stream.Stream<Delivery<A>>
  /**
   * The messages as in `messages`, all that have arrived at each step, for a program that does work for many at once. The program
   * has to acknowledge each message of an array that it receives.
   *
   * @since 0.2.0
   */
  readonly messageArrays: Stream.Stream<Arr.NonEmptyReadonlyArray<Delivery<A>>>
  /**
   * Handles messages until the consumer stops: finishes those whose handler succeeds, requeues those whose handler fails. After an
   * interruption it takes no more messages, waits until the handlers have ended, at most for `drainTimeout`, and interrupts the
   * others, whose messages are requeued at once.
   */
  readonly run: <E, R>(
    handler: (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>,
    options?: RunOptions<A, E>
  ) => Effect.Effect<void, never, R>
  /**
   * Handles messages in batches until the consumer stops: a success finishes all messages of the batch that the handler has not
   * acknowledged itself, a failure requeues them. Undecodable bodies are not part of a batch. Interruption is as in `run`.
   */
  readonly runBatches: <E, R>(
    handler: (values: ReadonlyArray<A>, deliveries: ReadonlyArray<Delivery<A>>) => Effect.Effect<unknown, E, R>,
    options?: BatchOptions<A, E>
  ) => Effect.Effect<void, never, R>
  /**
   * Takes no more messages, waits up to `drainTimeout` until those in flight are acknowledged, requeues the rest, ends `run` and
   * `messages`, and disconnects. It continues if its caller is interrupted. A handler must not wait for it, because it waits for the
   * handler's own message; it can fork it.
   */
  readonly stop: Effect.Effect<void>
  /** Requests no more messages until `resume`. Those that have arrived are still handled. */
  readonly pause: Effect.Effect<void>
  /** Ends a pause. */
  readonly resume: Effect.Effect<void>
  /** Changes `maxInFlight`, and the concurrency of a `run` without one of its own. 0 pauses. */
  readonly setMaxInFlight: (maxInFlight: number) => Effect.Effect<void>
  /**
   * Changes the concurrency of the present `run` and `runBatches`, from 1 to 1000; `maxInFlight` does not change it any more. Surplus
   * handlers finish their messages.
   */
  readonly setConcurrency: (concurrency: number) => Effect.Effect<void>
  /** Whether a connection has at least 85 % of its RDY count in flight, so that more handlers would help. */
  readonly isStarved: Effect.Effect<boolean>
  /** Addresses of the nsqd that are connected. */
  readonly connected: Effect.Effect<ReadonlyArray<string>>
  /**
   * Completes as soon as an nsqd has accepted the subscription, at once if one has. Fails with the error of an nsqd if all known
   * ones refuse this consumer permanently, for example because its secret is wrong or does not permit the topic
   * (`ClientError.isPermanent`), and with the reason `Closed`.
   */
  readonly awaitConnected: Effect.Effect<void, ClientError>
  /** The states of the connections to all known nsqd, and then each change. Ends with the consumer. */
  readonly connectionStates: Stream.Stream<ConnectionState>
}

const loadDeduplication = Effect.promise(() => import("./Deduplication.ts"))
const redistributeInterval = "5 seconds"
const reportInterval = "1 second"
/** A message is touched after this part of its timeout. */
const touchFraction = 1 / 3

/** An error frame, or what is wrong with a message. */
interface Problem {
  readonly description: string
  /** Whether the connection ends; it stays open after an error that concerns one message. */
  readonly fatal: boolean
}

/**
 * Creates a consumer that is connected until the Scope closes. Closing the Scope drains it: intake stops, handlers may finish
 * their messages up to `drainTimeout`, and messages that are not acknowledged then are requeued at once. Dies if NSQ does not accept
 * the name of the channel, or if an option is not valid.
 *
 * ```ts
 * const consumer = yield* Consumer.make({ topic: orders, channel: "kitchen", servers: { nsqd: ["127.0.0.1:4150"] } })
 * yield* consumer.run((order) => Effect.log(order.item))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("Consumer.make")(function*<A, R = never>(
  options: ConsumerOptions<A, R>
): Effect.fn.Return<Consumer<A>, never, R | Transport | HttpClient.HttpClient | Scope.Scope> {
  const { topic } = options
  const channel = ClientTopic.channelName(options.channel)
  let maxInFlight = Options.maxInFlight(options.maxInFlight ?? 1)
  const time = Time.fromClock(yield* Clock.Clock)
  const random = yield* Random.Random
  const delays = Options.requeueDelays(options)
  const inbox = new Inbox<Held<A>>()
  const subscription = new Subscription(
    topic,
    {
      maxInFlight,
      maxBackoffDuration: Options.toMillis(options.maxBackoffDuration, "2 minutes"),
      backoffMultiplier: Options.toMillis(options.backoffMultiplier, "1 second"),
      lowReadyIdleTimeout: Options.toMillis(options.lowReadyIdleTimeout, "10 seconds")
    },
    delays,
    time,
    () => random.nextDoubleUnsafe()
  )
  const draining = new Draining(subscription, inbox, Options.drainTimeout(options))
  const { deadLetter, deduplicate } = options
  const handling = new Handling<A, R>({
    options,
    channel,
    subscription,
    delays,
    deduplication: deduplicate === undefined ? undefined : new (yield* loadDeduplication).Deduplication(
      Options.toMillis(deduplicate.window, "5 minutes"),
      deduplicate.maxKeys ?? 100_000,
      time.monotonicMillis
    ),
    producer: deadLetter === undefined
      ? undefined
      : yield* Producer.make({ servers: options.servers, connection: options.connection ?? {}, ...limitsOfServer }),
    context: yield* Effect.context<R>()
  })
  subscription.onReject = (held, reason) => handling.reject(held, reason)

  const use = Effect.fnUntraced(function*(connection: NsqdConnection, { connected, served }: Links.Progress) {
    // A consumer that stops subscribes to nothing; its connections end soon.
    if (subscription.stopped) return yield* Effect.never
    const member = new Member(connection)
    connection.send(encodePlain({ _tag: "SUB", topic: topic.name, channel }))
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
      onResponse: (text) => {
        if (text === "CLOSE_WAIT") subscription.closed(member)
        // The reply to SUB.
        else if (text === "OK") connected()
      },
      onError: (text) => {
        const code = parseErrorCode(text)
        Queue.offerUnsafe(problems, { description: text, fatal: code === undefined || isFatal(code) })
      },
      onMessage: (data, hasHeaders) => {
        const delivery = subscription.receive(member, data, hasHeaders)
        if (delivery === undefined) {
          // nsqd counts it as in flight, and the consumer can neither handle nor acknowledge it.
          Queue.offerUnsafe(problems, { description: `a message of ${data.length} bytes is too short`, fatal: true })
        } else if (inbox.ended) delivery.requeueNow()
        else inbox.push(delivery)
      },
      // While messages are in flight, their acknowledgements are gathered for a write.
      awaited: () => member.inFlight,
      onPause: () => {
        if (member.inFlight > 0) served()
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

  /** Touches messages whose timeout has run for a third of its time. Returns the time until the next one, at most 1 s. */
  const touchDue = (messages: Iterable<Held<A>>): number => {
    const now = time.monotonicMillis()
    let wait = 1000
    for (const held of messages) {
      const due = held.since + held.member.connection.features.msg_timeout * touchFraction
      if (due <= now) subscription.touch(held)
      else wait = Math.min(wait, due - now)
    }
    return wait
  }

  const touching = Effect.gen(function*() {
    while (true) yield* Effect.sleep(Math.max(50, Math.min(touchDue(subscription.held), touchDue(inbox))))
  })

  let disconnections = 0
  const report = ConsumerCounts.reporter(topic.name, channel, () => {
    const { finished, ...counts } = subscription.counts
    const { duplicates, givenUp } = handling.counts
    return {
      ...counts,
      ...handling.counts,
      processed: finished - givenUp - duplicates,
      disconnections,
      inFlight: subscription.inFlight,
      connections: subscription.members.length
    }
  })

  // Finalizers run in reverse: the consumer drains first, while its fibers and its connections still work.
  yield* Effect.addFinalizer(() => report)
  const links = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const connections = yield* Scope.provide(
    Links.run({
      servers: options.servers,
      connection: options.connection ?? {},
      topic: topic.name,
      use,
      onUnavailable: () => disconnections++
    }),
    links
  )
  const keep = (task: Effect.Effect<never>) =>
    Effect.forkScoped(Effect.tapCause(task, (cause) => Effect.logError("a task of the consumer ended", cause)))
  yield* keep(backingOff)
  yield* keep(redistributing)
  yield* keep(Effect.forever(Effect.delay(report, reportInterval)))
  if (options.autoTouch !== false) yield* keep(touching)
  yield* Effect.addFinalizer(() => draining.close)

  return {
    messages: Messages.make(inbox, handling, draining),
    messageArrays: Messages.makeArrays(inbox, handling, draining),
    run: (handler, { concurrency, onError } = {}) =>
      draining.run(
        {
          initial: () => Options.concurrency(concurrency ?? maxInFlight),
          followsMaxInFlight: concurrency === undefined
        },
        Crew.jobOf(inbox, (delivery) => handling.handle(delivery, handler, onError))
      ),
    runBatches: (handler, { concurrency = 1, onError, size, within } = {}) =>
      Effect.suspend(() =>
        draining.run(
          { initial: () => Options.concurrency(concurrency), followsMaxInFlight: false },
          Batches.job(handler, inbox, subscription, handling, {
            size: () => Math.max(1, Math.min(size ?? maxInFlight, maxInFlight)),
            withinMillis: Options.toMillis(within, "1 second"),
            onError
          })
        )
      ),
    // A fiber of its own, so that the end does not stay half done when the caller is interrupted.
    stop: Effect.andThen(draining.stop, Scope.close(links, Exit.void)).pipe(
      Effect.forkDetach({ startImmediately: true }),
      Effect.flatMap(Fiber.join)
    ),
    pause: Effect.sync(() => subscription.setPaused(true)),
    resume: Effect.sync(() => subscription.setPaused(false)),
    setMaxInFlight: (changed) =>
      Effect.sync(() => {
        maxInFlight = Options.maxInFlight(changed)
        subscription.setMaxInFlight(maxInFlight)
        draining.followMaxInFlight()
      }),
    setConcurrency: (concurrency) => Effect.sync(() => draining.setConcurrency(Options.concurrency(concurrency))),
    isStarved: Effect.sync(() =>
      subscription.members.some(({ inFlight, ready }) => inFlight > 0 && inFlight >= Math.floor(0.85 * ready))
    ),
    connected: Effect.sync(() => subscription.members.map(({ connection }) => connection.address)),
    awaitConnected: connections.awaitConnected,
    connectionStates: connections.changes
  }
})

type Handler<A, E, R> = (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>

type Requirements<R> = Exclude<R | Transport | HttpClient.HttpClient, Scope.Scope>

/** Creates a consumer that runs the handler until the Scope closes. */
const start = Effect.fnUntraced(function*<A, E, R, R2>(
  options: ConsumerOptions<A, R2> & RunOptions<A, E>,
  handler: Handler<A, E, R>
) {
  const consumer = yield* make<A, R2>(options)
  yield* Effect.forkScoped(consumer.run(handler, options))
  return consumer
})

/**
 * A consumer that handles messages as long as the Layer exists, with the options of `make` and `run`. The Layer's end drains it,
 * before the services that the handler uses end. The Layer is complete without a connection, and the consumer connects as soon as an
 * nsqd accepts it.
 *
 * ```ts
 * const KitchenLive = Consumer.layer(
 *   { topic: orders, channel: "kitchen", servers: { nsqd: ["127.0.0.1:4150"] }, maxInFlight: 10 },
 *   (order) => Kitchen.use((kitchen) => kitchen.cook(order))
 * )
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer = <A, E, R, R2 = never>(
  options: ConsumerOptions<A, R2> & RunOptions<A, E>,
  handler: (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>
): Layer.Layer<never, never, Requirements<R | R2>> => Layer.effectDiscard(start(options, handler))

/**
 * As `layer`, but complete when an nsqd has accepted the subscription. Fails if all known nsqd refuse the consumer permanently, for
 * example because its secret is wrong or does not permit the topic (`ClientError.isPermanent`), so that a program that may not
 * consume ends instead of trying forever.
 *
 * @since 0.2.0
 * @category layers
 */
export const layerConnected = <A, E, R, R2 = never>(
  options: ConsumerOptions<A, R2> & RunOptions<A, E>,
  handler: (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>
): Layer.Layer<never, ClientError, Requirements<R | R2>> =>
  Layer.effectDiscard(Effect.flatMap(start(options, handler), ({ awaitConnected }) => awaitConnected))
