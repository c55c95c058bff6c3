/**
 * Effect's `PersistedQueueStore` over NSQ. Elements are messages of a topic; all workers share its channel, and as many messages are
 * ready as there are takes, so that nsqd pushes each element to a worker that waits for it.
 *
 * nsqd counts deliveries, which are the attempts. What nsqd cannot express is published anew: an interrupted attempt, which does not
 * count, and a delay above nsqd's limit. The new message has the attempts of the former one, which is finished after that.
 */
import { Cause, Clock, Duration, Effect, type Exit, Option, Predicate, Queue, Scope, Semaphore } from "effect"
import type { PersistedQueue } from "effect/persistence"
import { type QueueBackend, queueError, type QueueMessage, type QueueSubscription } from "./QueueBackend.ts"
import * as Element from "./QueueElement.ts"
import type { QueueElement } from "./QueueElement.ts"
import type { QueueLedger } from "./QueueLedger.ts"
import * as Topics from "./QueueTopic.ts"

/** The pause before a message that cannot be dealt with now is redelivered, in ms. */
const pauseMillis = 1000

/** The latest time of a JavaScript date: an infinite delay. */
const never = 8.64e15

type Store = PersistedQueue.PersistedQueueStore["Service"]
type TakeOptions = Parameters<Store["take"]>[0]

/** A queue that this process takes from. */
interface OpenQueue {
  readonly name: string
  readonly topics: Topics.QueueTopics
  readonly inbox: Queue.Queue<QueueMessage, PersistedQueue.PersistedQueueError>
  readonly subscription: QueueSubscription
  /** Takes that wait for an element. */
  waiting: number
  /** Elements that are being processed, by their id. */
  readonly processing: Set<string>
}

/** An element in the hands of a worker. */
interface Claim {
  readonly message: QueueMessage
  readonly element: QueueElement
  readonly attempts: number
}

/** Effect's factory fails a take with this tag if the element does not match the queue's Schema. */
const isDeadLetter = (error: unknown): error is { readonly cause: Cause.Cause<unknown> } =>
  Predicate.isTagged(error, "~effect/persistence/PersistedQueue/DeadLetter") && "cause" in error &&
  Cause.isCause(error.cause)

const deadLetterIn = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> | undefined =>
  cause.reasons.map((reason) => Cause.isFailReason(reason) ? reason.error : undefined).find(isDeadLetter)?.cause

/** One permit for each key that is in use. */
const makeLocks = () => {
  const locks = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()
  return <A, E, R>(key: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const lock = locks.get(key) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      locks.set(key, lock)
      lock.users++
      return Effect.ensuring(
        lock.semaphore.withPermit(effect),
        Effect.sync(() => {
          if (--lock.users === 0) locks.delete(key)
        })
      )
    })
}

/** Creates a store. Its subscriptions end when the Scope closes. */
export const make = Effect.fnUntraced(function*(
  backend: QueueBackend,
  ledger: QueueLedger["Service"],
  prefix: string
): Effect.fn.Return<Store, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const queues = new Map<string, OpenQueue>()
  const locked = makeLocks()
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const now = () => clock.currentTimeMillisUnsafe()

  /** Publishes an element that becomes visible at `visibleAt`, or at once. */
  const publish = (topics: Topics.QueueTopics, element: QueueElement, visibleAt: number) => {
    const delay = Math.max(0, visibleAt - now())
    const { visibleAt: _, ...plain } = element
    return delay <= backend.maxDelayMillis
      ? backend.publish(topics.elements, Element.encode(plain), delay)
      : backend.publish(topics.elements, Element.encode({ ...plain, visibleAt }), backend.maxDelayMillis)
  }

  /** Publishes the element of a message anew, and finishes the message. */
  const replace = (queue: OpenQueue, message: QueueMessage, element: QueueElement, visibleAt = 0) =>
    Effect.andThen(publish(queue.topics, element, visibleAt), message.finish)

  /** Requeues a message if what has to be done with it fails. */
  const orLater = <E>(message: QueueMessage, work: Effect.Effect<void, E>): Effect.Effect<void> =>
    Effect.catchCause(work, (cause) =>
      Effect.andThen(
        Effect.logWarning("an element of a persisted queue is delivered again", cause),
        message.requeue(pauseMillis)
      ))

  /** Records that an element needs no further attempt. */
  const conclude = (queue: OpenQueue, { id, isCustomId }: QueueElement, state: "completed" | "failed") =>
    isCustomId ? ledger.record(queue.name, id, state) : ledger.end(queue.name, id, undefined)

  /** Marks an element as failed. */
  const fail = Effect.fnUntraced(function*(queue: OpenQueue, { attempts, element, message }: Claim, failure: string) {
    yield* backend.publish(queue.topics.failed, Element.encode({ ...element, attempts, failure }), 0)
    yield* conclude(queue, element, "failed")
    yield* message.finish
  })

  const adjust = (queue: OpenQueue) => queue.subscription.setReady(queue.waiting + queue.processing.size)

  /** Returns an element to the queue, without an attempt. */
  const release = (queue: OpenQueue, message: QueueMessage): Effect.Effect<void> => {
    const element = Element.decode(message.body)
    return element === undefined
      ? message.requeue(0)
      : orLater(
        message,
        replace(queue, message, { ...element, attempts: element.attempts + message.attempts - 1 }, element.visibleAt)
      )
  }

  /** Returns elements that have arrived for takes that no longer wait. */
  const releaseSurplus = (queue: OpenQueue): Effect.Effect<void> =>
    Effect.gen(function*() {
      yield* adjust(queue)
      while (Queue.sizeUnsafe(queue.inbox) > queue.waiting) {
        const surplus = yield* Effect.orElseSucceed(Queue.poll(queue.inbox), Option.none)
        if (Option.isNone(surplus)) return
        yield* release(queue, surplus.value)
      }
    })

  const subscribe = Effect.fnUntraced(function*(name: string) {
    const topics = Topics.of(prefix, name)
    const inbox = yield* Queue.unbounded<QueueMessage, PersistedQueue.PersistedQueueError>()
    let opened: OpenQueue | undefined
    const closed = (): void => {
      queues.delete(name)
      Queue.failCauseUnsafe(
        inbox,
        Cause.fail(queueError(`cannot take from ${topics.elements}`)({ message: "it is closed" }))
      )
    }
    const subscription = yield* backend.subscribe(
      topics.elements,
      Topics.workers,
      (message) => {
        // A message can be on the way while its take is interrupted.
        if (opened !== undefined && Queue.sizeUnsafe(inbox) >= opened.waiting) fork(release(opened, message))
        else Queue.offerUnsafe(inbox, message)
      },
      closed
    ).pipe(Scope.provide(scope))
    opened = { name, topics, inbox, subscription, waiting: 0, processing: new Set() }
    queues.set(name, opened)
    return opened
  })

  const open = (name: string): Effect.Effect<OpenQueue, PersistedQueue.PersistedQueueError> =>
    locked(
      `queue ${name}`,
      Effect.suspend(() => {
        const known = queues.get(name)
        return known === undefined ? subscribe(name) : Effect.succeed(known)
      })
    )

  /** Decides about a message: returns the claim of a worker, or `undefined` if it is not for a worker now. */
  const examine = Effect.fnUntraced(function*(queue: OpenQueue, message: QueueMessage, { maxAttempts }: TakeOptions) {
    const element = Element.decode(message.body)
    if (element === undefined) {
      yield* Effect.logWarning(`a message of ${queue.topics.elements} is not an element of a persisted queue`)
      yield* orLater(
        message,
        Effect.andThen(
          backend.publish(queue.topics.failed, Buffer.from(message.body).toString(), 0),
          message.finish
        )
      )
      return undefined
    }
    const delivered = element.attempts + message.attempts
    /** Returns the element to the queue until then, without an attempt. */
    const until = (visibleAt: number) =>
      orLater(message, replace(queue, message, { ...element, attempts: delivered - 1 }, visibleAt))
    if (element.visibleAt !== undefined && element.visibleAt > now()) {
      yield* until(element.visibleAt)
      return undefined
    }
    const state = element.isCustomId ? yield* ledger.state(queue.name, element.id) : undefined
    if (state === "completed" || state === "failed") {
      yield* message.finish
      return undefined
    }
    if (queue.processing.has(element.id)) {
      // A redelivery, after the loss of the connection, or a second offer of the id from another process.
      yield* until(now() + pauseMillis)
      return undefined
    }
    // At once, so that no other take begins an attempt meanwhile.
    queue.processing.add(element.id)
    const attempts = yield* Effect.onError(
      ledger.begin(queue.name, element.id, delivered),
      () => Effect.sync(() => queue.processing.delete(element.id))
    )
    const claim: Claim = { message, element, attempts }
    if (attempts <= maxAttempts) return claim
    yield* orLater(message, fail(queue, claim, "the process ended during the last attempt"))
    queue.processing.delete(element.id)
    return undefined
  })

  const settle = (
    queue: OpenQueue,
    claim: Claim,
    { maxAttempts, retryDelay }: TakeOptions,
    exit: Exit.Exit<unknown, unknown>
  ) =>
    Effect.gen(function*() {
      const { attempts, element, message } = claim
      if (exit._tag === "Success") {
        yield* conclude(queue, element, "completed")
        return yield* message.finish
      }
      const undecodable = deadLetterIn(exit.cause)
      if (undecodable !== undefined) return yield* fail(queue, claim, Cause.pretty(undecodable))
      if (Cause.hasInterruptsOnly(exit.cause)) {
        yield* ledger.end(queue.name, element.id, attempts - 1)
        return yield* replace(queue, message, { ...element, attempts: attempts - 1 })
      }
      if (attempts >= maxAttempts) return yield* fail(queue, claim, Cause.pretty(exit.cause))
      const delay = Duration.toMillis(yield* retryDelay(attempts))
      if (delay <= backend.maxDelayMillis) return yield* message.requeue(delay)
      yield* replace(queue, message, { ...element, attempts }, Math.min(never, now() + delay))
    }).pipe(
      (work) => orLater(claim.message, work),
      Effect.ensuring(Effect.suspend(() => {
        queue.processing.delete(claim.element.id)
        return adjust(queue)
      }))
    )

  const take: Store["take"] = (options) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const queue = yield* restore(open(options.name))
        queue.waiting++
        const claim = yield* Effect.gen(function*() {
          yield* adjust(queue)
          while (true) {
            const message = yield* restore(Queue.take(queue.inbox))
            const found = yield* Effect.onError(examine(queue, message, options), () => message.requeue(pauseMillis))
            if (found !== undefined) return found
          }
        }).pipe(
          Effect.ensuring(Effect.sync(() => void queue.waiting--)),
          Effect.onError(() => releaseSurplus(queue))
        )
        yield* Effect.addFinalizer((exit) => settle(queue, claim, options, exit))
        yield* releaseSurplus(queue)
        const { attempts, element: { element, id } } = claim
        return { id, attempts, element }
      })
    )

  const offer: Store["offer"] = ({ delay, element, id, isCustomId, name }) => {
    const topics = Topics.of(prefix, name)
    const add = Effect.gen(function*() {
      const json = Element.jsonOf(element)
      if (json === undefined) {
        return yield* queueError(`cannot offer ${id}`)({ message: "the element is not JSON" })
      }
      const visibleAt = delay === undefined ? 0 : Math.min(never, now() + Duration.toMillis(delay))
      yield* publish(topics, { id, isCustomId, attempts: 0, element: json }, visibleAt)
    })
    if (!isCustomId) return add
    const addOnce = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        if ((yield* restore(ledger.state(name, id))) !== undefined) return
        yield* restore(add)
        // After the publish: an id without an element would never be processed.
        yield* ledger.record(name, id, "pending")
      })
    )
    return locked(`id ${name} ${id}`, addOnce)
  }

  return { offer, take, cleanup: ledger.cleanup }
})
