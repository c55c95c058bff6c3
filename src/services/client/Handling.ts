/**
 * What happens to one message: its handler runs, and the result finishes, requeues or gives it up. Whatever fails on the way, the
 * handler, a decision or `onGivenUp`, is logged and requeues the message; nothing of it ends the consumer.
 */
import { Cause, type Context, Effect, Result } from "effect"
import type { BackoffSignal } from "./Backoff.ts"
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import type { ConsumerOptions } from "./ConsumerOptions.ts"
import * as DeadLetter from "./DeadLetter.ts"
import { Decision } from "./Decision.ts"
import type { Deduplication } from "./Deduplication.ts"
import type { Delivery } from "./Delivery.ts"
import type { Held } from "./Held.ts"
import type { ProducerService } from "./Producer.ts"
import * as Rejection from "./Rejection.ts"
import type { RequeueDelays } from "./RequeueDelays.ts"
import type { Subscription } from "./Subscription.ts"

/** Handles a message. */
export type Handler<A, E, R> = (value: A, delivery: Delivery<A>) => Effect.Effect<unknown, E, R>

/** Decides about a message whose handler failed. */
export type OnError<A, E> = (error: E, delivery: Delivery<A>) => Decision

/** What the handling of messages needs. */
export interface Surroundings<A, R> {
  readonly options: ConsumerOptions<A, R>
  readonly channel: string
  readonly subscription: Subscription<A>
  readonly delays: RequeueDelays
  readonly deduplication: Deduplication | undefined
  /** Publishes dead letters. */
  readonly producer: ProducerService | undefined
  /** The services of `onGivenUp`. */
  readonly context: Context.Context<R>
}

/** Messages since the start, for the metrics. */
export interface HandlingCounts {
  failed: number
  undecodable: number
  givenUp: number
  duplicates: number
}

export class Handling<A, R> {
  readonly counts: HandlingCounts = { failed: 0, undecodable: 0, givenUp: 0, duplicates: 0 }
  readonly deduplication: Deduplication | undefined
  private readonly surroundings: Surroundings<A, R>
  private readonly maxAttempts: number

  constructor(surroundings: Surroundings<A, R>) {
    this.surroundings = surroundings
    this.deduplication = surroundings.deduplication
    this.maxAttempts = surroundings.options.maxAttempts ?? 5
  }

  /** Records that the message is in the hands of a handler or of the program, and returns whether it may be handled. */
  begin(delivery: Held<A>): boolean {
    this.surroundings.subscription.hold(delivery)
    return !this.isExhausted(delivery)
  }

  private isExhausted({ attempts }: Held<A>): boolean {
    return this.maxAttempts > 0 && attempts > this.maxAttempts
  }

  /** Gives up a message with too many deliveries. */
  exhausted(delivery: Held<A>): Effect.Effect<void> {
    const reason = ClientErrorReason.TooManyAttempts({
      topic: this.surroundings.options.topic.name,
      description: `msg ${delivery.id} was delivered ${delivery.attempts} times (limit ${this.maxAttempts})`
    })
    return this.giveUp(delivery, Cause.fail(new ClientError({ reason })), "resume")
  }

  /** Runs the handler of a message and acknowledges it by the result. */
  handle<E, R2>(
    delivery: Held<A>,
    handler: Handler<A, E, R2>,
    onError: OnError<A, E> | undefined
  ): Effect.Effect<void, never, R2> {
    const work = Effect.suspend((): Effect.Effect<unknown, E, R2> => {
      if (!this.begin(delivery)) return this.exhausted(delivery)
      const handling = Effect.matchCauseEffect(delivery.value, {
        onSuccess: (value) => this.once(value, delivery, handler),
        onFailure: (cause) => this.undecodable(delivery, cause)
      })
      return this.surroundings.options.topic.linkOf === undefined && !delivery.hasHeaders
        ? handling
        : this.traced([delivery], handling)
    })
    return Effect.matchCauseEffect(work, {
      onSuccess: () => {
        delivery.finishNow()
        return Effect.void
      },
      onFailure: (cause) =>
        Effect.andThen(
          onError === undefined || !Cause.hasFails(cause)
            ? Effect.logError(`handler failed for msg ${delivery.id}`, cause)
            : Effect.logDebug(`handler failed for msg ${delivery.id}`, cause),
          this.failed(delivery, cause, onError)
        )
    })
  }

  /** Returns the key by which duplicates are recognised. */
  keyOf(value: A, delivery: Delivery<A>): string | undefined {
    return this.surroundings.options.deduplicate?.key(value, delivery)
  }

  finishDuplicate(delivery: Held<A>): void {
    this.counts.duplicates++
    delivery.finishNow()
  }

  private once<E, R2>(value: A, delivery: Held<A>, handler: Handler<A, E, R2>): Effect.Effect<unknown, E, R2> {
    const key = this.keyOf(value, delivery)
    if (key === undefined || this.deduplication === undefined) return handler(value, delivery)
    return this.deduplication.once(key, {
      work: Effect.suspend(() => handler(value, delivery)),
      // A handler may acknowledge its message itself.
      isProcessed: () => !delivery.acknowledged || delivery.finished,
      onDuplicate: () => this.finishDuplicate(delivery)
    })
  }

  /** Applies the decision about a message whose handler failed. */
  failed<E>(delivery: Held<A>, cause: Cause.Cause<E>, onError: OnError<A, E> | undefined): Effect.Effect<void> {
    this.counts.failed++
    const decide = Effect.suspend(() => {
      if (delivery.acknowledged) return Effect.void
      const error = Cause.findError(cause)
      const decision = onError === undefined || Result.isFailure(error)
        ? Decision.Requeue({})
        : onError(error.success, delivery)
      return this.apply(decision, delivery, cause, true)
    })
    return this.guarded(delivery, decide)
  }

  /** Applies the decision about a message whose body cannot be decoded. */
  undecodable(delivery: Held<A>, cause: Cause.Cause<ClientError>): Effect.Effect<void> {
    this.counts.undecodable++
    const { onUndecodable } = this.surroundings.options
    const decide = Effect.suspend(() => {
      const error = Cause.findError(cause)
      const decision = onUndecodable === undefined || Result.isFailure(error)
        ? Decision.GiveUp()
        : onUndecodable(error.success, delivery)
      return this.apply(decision, delivery, cause, false)
    })
    return this.guarded(delivery, decide)
  }

  /** Requeues the message if deciding about it fails. */
  private guarded(delivery: Held<A>, decide: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.catchCause(
      decide,
      (cause) =>
        Effect.logError(`deciding about msg ${delivery.id} failed, requeueing it`, cause).pipe(
          Effect.andThen(delivery.requeue())
        )
    )
  }

  private apply(
    decision: Decision,
    delivery: Held<A>,
    cause: Cause.Cause<unknown>,
    backsOff: boolean
  ): Effect.Effect<void> {
    return Decision.$match(decision, {
      Finish: () => Effect.sync(() => delivery.finishNow()),
      GiveUp: () => this.giveUp(delivery, cause, "continue"),
      Reject: ({ reason }) =>
        this.giveUp(
          delivery,
          cause,
          "continue",
          reason === undefined ? Rejection.reasonOf(cause) : Rejection.printable(reason)
        ),
      Requeue: ({ backoff = backsOff, delay }) => {
        const signal = backoff ? "backoff" : "continue"
        if (this.maxAttempts > 0 && delivery.attempts >= this.maxAttempts) return this.giveUp(delivery, cause, signal)
        if (delay !== undefined) return delivery.requeue({ delay, backoff })
        return Effect.flatMap(this.surroundings.delays(delivery.attempts), ({ hasEnded, millis }) =>
          hasEnded
            ? this.giveUp(delivery, cause, signal)
            : Effect.sync(() => delivery.requeueNow(millis, signal)))
      }
    })
  }

  /** Gives up a message that the program rejects. */
  reject(delivery: Held<A>, reason: string): Effect.Effect<void> {
    const { context, options: { topic } } = this.surroundings
    const cause = new ClientError({
      reason: ClientErrorReason.MessageRejected({ topic: topic.name, description: reason })
    })
    return Effect.provideContext(this.giveUp(delivery, Cause.fail(cause), "continue", reason), context)
  }

  /**
   * Publishes a message as a dead letter, runs `onGivenUp` and finishes it, or requeues it if that fails. With a `rejection`, a server
   * that has dead letters makes it one instead.
   */
  private giveUp(
    delivery: Held<A>,
    cause: Cause.Cause<unknown>,
    signal: BackoffSignal,
    rejection?: string
  ): Effect.Effect<void> {
    const { channel, context, options, producer } = this.surroundings
    const { deadLetter, onGivenUp, topic } = options
    const reason = delivery.canBeRejected ? rejection : undefined
    const publish = producer === undefined || deadLetter === undefined || reason !== undefined
      ? Effect.void
      : Effect.suspend(() =>
        producer.publish(deadLetter, DeadLetter.fromDelivery(delivery, { topic: topic.name, channel }, cause))
      )
    const line = rejection === undefined
      ? `msg ${delivery.id} attempted ${delivery.attempts} times, giving up`
      : `msg ${delivery.id} is rejected: ${rejection}`
    const given = onGivenUp === undefined
      ? this.isExhausted(delivery) ? Effect.logWarning(line) : Effect.logWarning(line, cause)
      : Effect.provideContext(Effect.suspend(() => onGivenUp(delivery, cause)), context)
    return Effect.matchCauseEffect(Effect.andThen(publish, given), {
      onSuccess: () =>
        Effect.sync(() => {
          if (reason !== undefined) return delivery.rejectNow(reason, signal)
          this.counts.givenUp++
          delivery.finishNow(signal)
        }),
      onFailure: (failure) =>
        Effect.andThen(
          Effect.logError(`giving up msg ${delivery.id} failed, requeueing it`, failure),
          delivery.requeue({ backoff: signal !== "continue" })
        )
    })
  }

  /**
   * Wraps the handling of a traced topic's messages in a span that links to the spans of their publishes, and that of messages whose
   * headers have a span: the span of one message is its child, that of several links to theirs.
   */
  traced<B, E, R2>(
    deliveries: ReadonlyArray<Held<A>>,
    handling: Effect.Effect<B, E, R2>
  ): Effect.Effect<B, E, R2> {
    const { topic } = this.surroundings.options
    const { linkOf } = topic
    const [first] = deliveries
    if (first === undefined) return handling
    const spans = linkOf === undefined ? deliveries.flatMap(({ span }) => span ?? []) : []
    if (linkOf === undefined && spans.length === 0) return handling
    const [parent] = deliveries.length === 1 ? spans : []
    const place = parent === undefined
      ? {
        root: true,
        links: linkOf === undefined
          ? spans.map((span) => ({ span, attributes: {} }))
          : deliveries.flatMap(({ body }) => linkOf(body) ?? [])
      }
      : { parent }
    return Effect.withSpan(handling, `process ${topic.name}`, {
      kind: "consumer",
      ...place,
      attributes: {
        "messaging.system": "nsq",
        "messaging.destination.name": topic.name,
        "messaging.consumer.group.name": this.surroundings.channel,
        ...(deliveries.length === 1
          ? { "messaging.message.id": first.id }
          : { "messaging.batch.message_count": deliveries.length })
      }
    })
  }
}
