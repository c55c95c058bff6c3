/**
 * The workers of one `run`: fibers that take messages and handle them, as many as the program wants at the moment. They are not
 * children of the fiber that runs them, so that an interruption of that fiber lets them finish their messages.
 */
import { Cause, Deferred, type Duration, Effect, Fiber } from "effect"
import { Wakeup } from "../core/Wakeup.ts"
import type { Held } from "./Held.ts"
import type { Inbox, Taker } from "./Inbox.ts"

/** A fiber of a crew, and the message that it has taken and not finished handling. */
export class Worker<A> implements Taker<Held<A>> {
  retired = false
  fiber: Fiber.Fiber<void> | undefined
  private current: Held<A> | undefined

  begin(): void {
    this.current = undefined
  }

  accept(held: Held<A>): void {
    this.current = held
  }

  /** Requeues what it has at once. */
  requeue(): void {
    this.current?.requeueNow()
  }
}

/** What a crew does. */
export interface Job<W, R> {
  readonly hire: () => W
  /** Handles messages until the worker has retired or its inbox has ended. */
  readonly work: (worker: W) => Effect.Effect<void, never, R>
}

/** Returns the job of workers that handle one message after the other. */
export const jobOf = <A, R>(
  inbox: Inbox<Held<A>>,
  handle: (delivery: Held<A>) => Effect.Effect<void, never, R>
): Job<Worker<A>, R> => ({
  hire: () => new Worker<A>(),
  work: (worker) =>
    Effect.flatMap(inbox.take(worker), handle).pipe(
      Effect.forever,
      Effect.catchIf(Cause.isDone, () => Effect.void)
    )
})

export class Crew<A> {
  private readonly inbox: Inbox<Held<A>>
  private readonly workers = new Set<Worker<A>>()
  private readonly changed = new Wakeup()
  private wanted: number
  dismissed = false
  /** Completes when all workers have ended and none will begin. */
  readonly ended = Deferred.makeUnsafe<void>()

  constructor(inbox: Inbox<Held<A>>, size: number) {
    this.inbox = inbox
    this.wanted = size
  }

  /** Changes the number of workers. Surplus ones end after their current message. */
  resize(size: number): void {
    this.wanted = size
    let surplus = this.active - size
    for (const worker of this.workers) {
      if (surplus <= 0) break
      if (worker.retired) continue
      worker.retired = true
      surplus--
    }
    this.inbox.releaseRetired()
    this.changed.call()
  }

  /** Lets all workers end after their current messages; no more begin. */
  dismiss(): void {
    this.dismissed = true
    this.resize(0)
  }

  /** Interrupts the workers, which requeues their messages at once. */
  readonly interrupt: Effect.Effect<void> = Effect.suspend(() => {
    this.dismiss()
    return Fiber.interruptAll(Array.from(this.workers).flatMap(({ fiber }) => fiber ?? []))
  })

  private get active(): number {
    let active = 0
    for (const { retired } of this.workers) if (!retired) active++
    return active
  }

  private hire<W extends Worker<A>, R>(job: Job<W, R>): Effect.Effect<void, never, R> {
    const worker = job.hire()
    this.workers.add(worker)
    const working = job.work(worker).pipe(
      Effect.tapCause((cause) => Effect.logError("a worker of the consumer ended, another one takes its place", cause)),
      Effect.onExit(() =>
        Effect.sync(() => {
          worker.requeue()
          this.workers.delete(worker)
          this.changed.call()
        })
      )
    )
    return Effect.map(Effect.forkDetach(working, { startImmediately: true, uninterruptible: false }), (fiber) => {
      worker.fiber = fiber
    })
  }

  /**
   * Runs the workers until the inbox has ended. An interruption calls `onInterrupt`, dismisses the workers, waits until they have
   * finished their messages, at most for the limit, and then interrupts them.
   */
  run<W extends Worker<A>, R>(
    job: Job<W, R>,
    limit: Duration.Duration,
    onInterrupt: () => void
  ): Effect.Effect<void, never, R> {
    const hire = Effect.suspend(() => this.hire(job))
    const working = Effect.gen({ self: this }, function*() {
      while (true) {
        while (!this.dismissed && !this.inbox.ended && this.active < this.wanted) yield* Effect.uninterruptible(hire)
        if (this.workers.size === 0 && (this.dismissed || this.inbox.ended)) return
        yield* this.changed.wait
      }
    })
    const empty = Effect.gen({ self: this }, function*() {
      while (this.workers.size > 0) yield* this.changed.wait
    })
    const drained = Effect.suspend(() => {
      this.dismiss()
      onInterrupt()
      return Effect.andThen(Effect.timeoutOption(empty, limit), this.interrupt)
    })
    return working.pipe(
      Effect.onInterrupt(() => drained),
      Effect.ensuring(Effect.sync(() => void Deferred.doneUnsafe(this.ended, Effect.void)))
    )
  }
}
