/**
 * What takes the messages of a consumer, and the consumer's end: intake stops, what takes messages may finish them up to a limit,
 * and the rest is requeued while the connections still exist. It does not matter in which order the fibers and the Scope end.
 */
import { Deferred, Duration, Effect, Semaphore } from "effect"
import { Crew, type Job, type Worker } from "./Crew.ts"
import type { Held } from "./Held.ts"
import type { Inbox } from "./Inbox.ts"
import type { Subscription } from "./Subscription.ts"

/** Limit for the confirmation of CLS, after which a server sends no more messages. */
const closeLimit = Duration.seconds(1)

/** The number of workers of a crew, which may change. */
export interface CrewSize {
  /** The size by the program or by default. */
  readonly initial: () => number
  /** Whether `initial` follows `maxInFlight`. */
  readonly followsMaxInFlight: boolean
}

export class Draining<A> {
  private readonly subscription: Subscription<A>
  private readonly inbox: Inbox<Held<A>>
  private readonly limit: Duration.Duration
  private readonly crews = new Set<Crew<A>>()
  /** The crews whose size is `maxInFlight`. */
  private readonly following = new Map<Crew<A>, CrewSize>()
  /** Readers of `messages`. */
  private readers = 0
  private readonly ending = Semaphore.makeUnsafe(1)

  constructor(subscription: Subscription<A>, inbox: Inbox<Held<A>>, limit: Duration.Duration) {
    this.subscription = subscription
    this.inbox = inbox
    this.limit = limit
  }

  /** Runs a crew until the consumer ends. An interruption stops intake, unless something else takes messages. */
  run<W extends Worker<A>, R>(size: CrewSize, job: Job<W, R>): Effect.Effect<void, never, R> {
    return Effect.suspend(() => {
      const crew = new Crew(this.inbox, size.initial())
      this.crews.add(crew)
      if (size.followsMaxInFlight) this.following.set(crew, size)
      this.subscription.setIdle(false)
      return crew.run(job, this.limit, () => this.idle()).pipe(
        Effect.ensuring(Effect.sync(() => {
          this.crews.delete(crew)
          this.following.delete(crew)
        }))
      )
    })
  }

  /** Changes the number of workers of every crew; none follows `maxInFlight` from now on. */
  setConcurrency(size: number): void {
    this.following.clear()
    for (const crew of this.crews) crew.resize(size)
  }

  /** Adapts the crews whose size is `maxInFlight`. */
  followMaxInFlight(): void {
    for (const [crew, { initial }] of this.following) crew.resize(initial())
  }

  enterReader(): void {
    this.readers++
    this.subscription.setIdle(false)
  }

  /** A consumer whose messages nothing takes any more stops intake, so that others get them. */
  leaveReader(): void {
    this.readers--
    this.idle()
    this.subscription.settled.call()
  }

  private get isUsed(): boolean {
    return this.readers > 0 || Array.from(this.crews).some(({ dismissed }) => !dismissed)
  }

  private idle(): void {
    if (this.isUsed) return
    this.subscription.setIdle(true)
    this.requeueQueued()
  }

  private requeueQueued(): void {
    for (const held of this.inbox.clear()) held.requeueNow()
  }

  private readonly closed: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    while (!this.subscription.isClosed) yield* this.subscription.settled.wait
  })

  /** Waits until no server sends messages any more. */
  private readonly confirmed = Effect.suspend(() =>
    Effect.asVoid(Effect.timeoutOption(this.closed, Duration.min(this.limit, closeLimit)))
  )

  private readonly acknowledged: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    while (this.subscription.inFlight > 0) yield* this.subscription.settled.wait
  })

  private readonly finished: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    for (const crew of this.crews) yield* Deferred.await(crew.ended)
    while (this.readers > 0 && this.subscription.inFlight > 0) yield* this.subscription.settled.wait
  })

  /** Ends what takes messages, and requeues what is left. */
  private readonly abandon: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    // Before the end of the inbox, which would let a batch that is not complete begin.
    for (const crew of this.crews) crew.dismiss()
    this.inbox.end()
    yield* Effect.forEach(Array.from(this.crews), (crew) => crew.interrupt, { discard: true })
    this.requeueQueued()
    for (const held of this.subscription.held) held.requeueNow()
  })

  /** Stops intake and waits until the messages in flight are acknowledged, at most for the limit; requeues the rest. */
  readonly stop: Effect.Effect<void> = this.ending.withPermit(Effect.gen({ self: this }, function*() {
    this.subscription.stop()
    yield* this.confirmed
    if (!this.isUsed) this.requeueQueued()
    yield* Effect.timeoutOption(this.acknowledged, this.limit)
    yield* this.abandon
  }))

  /** Stops intake, requeues what nothing has taken yet, and waits for the rest, at most for the limit; requeues what is left. */
  readonly close: Effect.Effect<void> = this.ending.withPermit(Effect.gen({ self: this }, function*() {
    this.subscription.stop()
    for (const crew of this.crews) crew.dismiss()
    this.inbox.end()
    this.requeueQueued()
    yield* this.confirmed
    yield* Effect.timeoutOption(this.finished, this.limit)
    yield* this.abandon
  }))
}
