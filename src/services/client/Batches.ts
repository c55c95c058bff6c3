/**
 * Batches of messages: one worker at a time collects a batch, and several handle theirs.
 */
import { Cause, Clock, Effect, Exit, Semaphore } from "effect"
import * as Time from "../core/Time.ts"
import { type Job, Worker } from "./Crew.ts"
import type { Delivery } from "./Delivery.ts"
import type { Handling, OnError } from "./Handling.ts"
import type { Held } from "./Held.ts"
import type { Inbox } from "./Inbox.ts"
import type { Subscription } from "./Subscription.ts"

/** Handles the values of a batch; the deliveries are in the same order. */
export type BatchHandler<A, E, R> = (
  values: ReadonlyArray<A>,
  deliveries: ReadonlyArray<Delivery<A>>
) => Effect.Effect<unknown, E, R>

/** A worker with the messages of a batch. */
class BatchWorker<A> extends Worker<A> {
  batch: Array<Held<A>> = []

  override accept(held: Held<A>): void {
    this.batch.push(held)
  }

  override requeue(): void {
    for (const held of this.batch) held.requeueNow()
  }
}

/** When a batch is complete. */
export interface BatchLimits {
  /** Most messages of a batch, at the moment. */
  readonly size: () => number
  readonly withinMillis: number
}

export interface BatchSettings<A, E> extends BatchLimits {
  readonly onError: OnError<A, E> | undefined
}

/** Waits for the messages of a batch. Fails with Done if none will come. */
const collect = Effect.fnUntraced(function*<A>(
  worker: BatchWorker<A>,
  inbox: Inbox<Held<A>>,
  subscription: Subscription<A>,
  limits: BatchLimits
): Effect.fn.Return<void, Cause.Done> {
  const now = Time.fromClock(yield* Clock.Clock).monotonicMillis
  worker.batch = []
  yield* inbox.take(worker)
  const until = now() + limits.withinMillis
  while (worker.batch.length < limits.size()) {
    if (inbox.takeNow(worker)) continue
    const left = until - now()
    if (left <= 0 || subscription.isFull || worker.retired || inbox.ended) return
    yield* Effect.timeoutOption(Effect.exit(inbox.take(worker)), left)
  }
})

/** A key that a batch processes. */
interface Claim<A> {
  /** The message that is handled. */
  readonly first: Held<A>
  /** Other messages of the batch with this key, which have the result of the first. */
  readonly others: Array<Held<A>>
}

/** The messages of a batch that are to be handled. */
interface Chosen<A> {
  readonly values: Array<A>
  readonly deliveries: Array<Held<A>>
  readonly claims: Map<string, Claim<A>>
}

/** Delay in ms of a message whose key another batch processes. */
const claimedDelay = 1000

/** Returns a job that collects batches and runs the handler for each. */
export const job = <A, R0, E, R>(
  handler: BatchHandler<A, E, R>,
  inbox: Inbox<Held<A>>,
  subscription: Subscription<A>,
  handling: Handling<A, R0>,
  settings: BatchSettings<A, E>
): Job<BatchWorker<A>, R> => {
  const { deduplication } = handling
  const collecting = Semaphore.makeUnsafe(1)

  /** Decides by its key whether a message is handled in this batch. */
  const isNew = (value: A, delivery: Held<A>, claims: Map<string, Claim<A>>): boolean => {
    const key = handling.keyOf(value, delivery)
    if (key === undefined || deduplication === undefined) return true
    const claim = claims.get(key)
    if (claim !== undefined) claim.others.push(delivery)
    else if (deduplication.has(key)) handling.finishDuplicate(delivery)
    // Waiting for the other batch could be a deadlock, because batches process several keys.
    else if (deduplication.isClaimed(key)) delivery.requeueNow(claimedDelay)
    else {
      deduplication.claim(key)
      claims.set(key, { first: delivery, others: [] })
      return true
    }
    return false
  }

  const choose = Effect.fnUntraced(function*(batch: ReadonlyArray<Held<A>>, chosen: Chosen<A>) {
    for (const delivery of batch) {
      if (!handling.begin(delivery)) {
        yield* handling.exhausted(delivery)
        continue
      }
      const value = yield* Effect.exit(delivery.value)
      if (Exit.isFailure(value)) yield* handling.undecodable(delivery, value.cause)
      else if (isNew(value.value, delivery, chosen.claims)) {
        chosen.values.push(value.value)
        chosen.deliveries.push(delivery)
      }
    }
  })

  const release = (claims: ReadonlyMap<string, Claim<A>>): void => {
    for (const [key, { first, others }] of claims) {
      deduplication?.release(key, first.finished)
      for (const other of others) {
        if (first.finished) handling.finishDuplicate(other)
        else other.requeueNow(claimedDelay)
      }
    }
  }

  const failed = Effect.fnUntraced(function*(
    deliveries: ReadonlyArray<Held<A>>,
    cause: Cause.Cause<E>,
    onError: OnError<A, E> | undefined
  ) {
    yield* Effect.logError(`handler failed for a batch of ${deliveries.length} messages`, cause)
    for (const delivery of deliveries) yield* handling.failed(delivery, cause, onError)
  })

  const handle = (batch: ReadonlyArray<Held<A>>) => {
    const chosen: Chosen<A> = { values: [], deliveries: [], claims: new Map() }
    const { claims, deliveries, values } = chosen
    const run = Effect.suspend(() =>
      deliveries.length === 0
        ? Effect.void
        : handling.traced(deliveries, Effect.suspend(() => handler(values, deliveries)))
    )
    return choose(batch, chosen).pipe(
      Effect.andThen(Effect.matchCauseEffect(run, {
        onSuccess: () => Effect.sync(() => deliveries.forEach((delivery) => delivery.finishNow())),
        onFailure: (cause) => failed(deliveries, cause, settings.onError)
      })),
      Effect.catchCause((cause) => failed(batch, cause, undefined)),
      Effect.ensuring(Effect.sync(() => release(claims)))
    )
  }

  return {
    hire: () => new BatchWorker<A>(),
    work: (worker) =>
      collecting.withPermit(collect(worker, inbox, subscription, settings)).pipe(
        // A batch that is not complete at the end of `run` is requeued.
        Effect.andThen(Effect.suspend(() => worker.retired ? Effect.fail(Cause.Done()) : handle(worker.batch))),
        Effect.forever,
        Effect.catchIf(Cause.isDone, () => Effect.void)
      )
  }
}
