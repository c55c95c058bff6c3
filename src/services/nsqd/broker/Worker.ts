/**
 * A fiber on demand: it starts when the worker is called and ends when its work is done, so that an idle topic or
 * channel has no fiber. Several calls before it runs start it once, and it never runs inside the call.
 *
 * The topic or channel owns its worker and stops it in a finalizer of its Scope. `Effect.forkIn` the Scope would add and
 * remove a finalizer for each batch.
 *
 * Hot path: topics and channels are called once per batch. Work that does not wait costs one fiber, which ends at
 * once, and no generator.
 */
import { Cause, Effect, Fiber, Scheduler } from "effect"
import type { Completion } from "../../core/Completion.ts"

/** The scheduler of all workers of a broker. */
export interface WorkerPool {
  /** Runs a task soon, never inside the call. */
  readonly schedule: (task: () => void) => void
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

/** A pool that starts fibers with the services and the scheduler of the calling fiber. */
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
  /** Those of `callLater`; present since the first one. */
  private timers: Set<Fiber.Fiber<void>> | undefined
  private called = false
  private stopped = false

  /** `work` runs once for a call or several calls; `name` is the actor's name in the log if a defect ends the work. */
  constructor(pool: WorkerPool, name: string, work: () => Completion) {
    this.pool = pool
    this.name = name
    this.work = work
  }

  /** Schedules the work. */
  call(): void {
    if (this.called || this.stopped) return
    this.called = true
    if (this.fiber === undefined) this.schedule()
  }

  /** Calls `before` and then the worker after `millis`, unless it is stopped before. */
  callLater(millis: number, before: () => void): void {
    if (this.stopped) return
    const timers = this.timers ??= new Set()
    const timer = this.pool.fork(Effect.andThen(
      Effect.sleep(millis),
      Effect.sync(() => {
        timers.delete(timer)
        before()
        this.call()
      })
    ))
    timers.add(timer)
  }

  /** Interrupts the work, waits for its end, and ignores further calls. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.stopped = true
      const { fiber, timers } = this
      return Fiber.interruptAll([...fiber === undefined ? [] : [fiber], ...timers ?? []])
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
    // A defect is a bug that would otherwise stop messages silently. The next call restarts the work.
    return Effect.tapCause(
      step,
      (cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal(`${this.name}: stopped`, cause)
    )
  }

  private again(): void {
    if (this.called && !this.stopped) this.schedule()
  }
}
