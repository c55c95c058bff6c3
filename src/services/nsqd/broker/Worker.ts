/**
 * A fiber on demand: it starts when it is called and ends when its work is done, so that a topic or a channel without work
 * costs no fiber. Any number of calls before it runs start it once, and it never runs inside the call.
 *
 * Hot path: topics and channels are called once per batch. What is done without waiting costs one fiber that ends at once
 * and no generator.
 */
import { Cause, Effect, Fiber, Scheduler } from "effect"
import type { Completion } from "../../core/Completion.ts"

/** What workers run on, shared by all actors of a broker. */
export interface WorkerPool {
  /** Runs a task soon, never inside the call. */
  readonly schedule: (task: () => void) => void
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

/** The pool that starts fibers with the services and the scheduler of the calling fiber. */
export const makePool: Effect.Effect<WorkerPool> = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
  return {
    schedule: (task) => dispatcher.scheduleTask(task, 0),
    fork: Effect.runForkWith(context)
  }
})

export class Worker {
  private readonly pool: WorkerPool
  private readonly name: string
  private readonly work: () => Completion
  private fiber: Fiber.Fiber<void> | undefined
  private timer: Fiber.Fiber<void> | undefined
  private called = false
  private stopped = false

  /** `work` is done once per call or run of calls; `name` is what the log calls the actor if a defect ends the work. */
  constructor(pool: WorkerPool, name: string, work: () => Completion) {
    this.pool = pool
    this.name = name
    this.work = work
  }

  /** There is work. */
  call(): void {
    if (this.called || this.stopped) return
    this.called = true
    if (this.fiber === undefined) this.schedule()
  }

  /** Calls after `millis`, when `before` has run. One such call at a time. */
  callLater(millis: number, before: () => void): void {
    if (this.stopped) return
    this.timer = this.pool.fork(Effect.andThen(
      Effect.sleep(millis),
      Effect.sync(() => {
        this.timer = undefined
        before()
        this.call()
      })
    ))
  }

  /** Interrupts the work, waits until it has ended, and takes no more calls. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.stopped = true
      return Fiber.interruptAll([this.fiber, this.timer].filter((fiber) => fiber !== undefined))
    })
  }

  private schedule(): void {
    this.pool.schedule(() => this.start())
  }

  private start(): void {
    if (this.stopped) return
    const fiber = this.pool.fork(this.run())
    if (fiber.pollUnsafe() !== undefined) return this.again()
    this.fiber = fiber
    fiber.addObserver(() => {
      this.fiber = undefined
      this.again()
    })
  }

  private run(): Effect.Effect<void> {
    const step = Effect.suspend(() => {
      this.called = false
      return this.work() ?? Effect.void
    })
    // A defect is a bug that would otherwise stop messages silently. The next call starts the work again.
    return Effect.tapCause(
      step,
      (cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal(`${this.name}: stopped`, cause)
    )
  }

  private again(): void {
    if (this.called && !this.stopped) this.schedule()
  }
}
