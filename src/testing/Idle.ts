/**
 * Waits until every fiber of a test waits: for the clock, for a held write, for a message that is not sent yet. Use it before
 * asserting that something has not happened.
 *
 * ```ts
 * it.effect("a paused channel delivers nothing", () =>
 *   Effect.gen(function*() {
 *     const client = yield* ProtocolClient.connect(TestBroker.address)
 *     yield* untilIdle
 *     // Whatever can happen at this time of the TestClock has happened.
 *   }).pipe(Effect.scoped, Effect.provide(TestBroker.layer())))
 * ```
 */
import { Context, Effect, Exit, Layer, Scheduler } from "effect"

/** Rounds of the event loop after which `untilIdle` gives up. A busy broker is idle after a few hundred. */
const maxRounds = 100_000

const neverIdle = Exit.die(
  new Error(`not idle after ${maxRounds} rounds of the event loop: a fiber yields forever`)
)

/** A fiber in `untilIdle`. */
interface Waiter {
  rounds: number
  readonly resume: (exit: Exit.Exit<void>) => void
}

/** Passes tasks on to another scheduler, and counts those that have not run yet. */
class CountingScheduler implements Scheduler.Scheduler {
  readonly executionMode: "sync" | "async"
  private readonly scheduler: Scheduler.Scheduler
  private pending = 0
  private isLooking = false
  private readonly waiters = new Set<Waiter>()

  constructor(scheduler: Scheduler.Scheduler) {
    this.scheduler = scheduler
    this.executionMode = scheduler.executionMode
  }

  shouldYield(...[fiber]: Parameters<Scheduler.Scheduler["shouldYield"]>): boolean {
    return this.scheduler.shouldYield(fiber)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    const dispatcher = this.scheduler.makeDispatcher()
    return {
      scheduleTask: (task, priority) => {
        this.pending++
        dispatcher.scheduleTask(() => {
          this.pending--
          task()
        }, priority)
      },
      flush: () => dispatcher.flush()
    }
  }

  readonly untilIdle: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const waiter: Waiter = { rounds: 0, resume }
    this.waiters.add(waiter)
    this.lookLater()
    return Effect.sync(() => void this.waiters.delete(waiter))
  })

  private lookLater(): void {
    if (this.isLooking || this.waiters.size === 0) return
    this.isLooking = true
    setImmediate(this.look)
  }

  /**
   * Node runs all microtasks before each immediate. In an immediate without pending tasks and without another immediate (`Turns`
   * sets such), no fiber and no promise can go on by itself.
   */
  private readonly look = (): void => {
    this.isLooking = false
    const isIdle = this.pending === 0 && !process.getActiveResourcesInfo().includes("Immediate")
    for (const waiter of this.waiters) {
      const exit = isIdle ? Exit.void : ++waiter.rounds > maxRounds ? neverIdle : undefined
      if (exit === undefined) continue
      this.waiters.delete(waiter)
      waiter.resume(exit)
      // The fiber that goes on is an activity for the others.
      if (isIdle) break
    }
    this.lookLater()
  }
}

/**
 * Knows whether a fiber can go on. It counts the tasks of the fibers below its Layer: those of the effect that the Layer is
 * provided to, and of the Layers that are built on it (`Layer.provideMerge(Idle.layer)`). `TestBroker` has it built in.
 *
 * Timers of the TestClock and deliveries of `MemoryTransport`, `MemoryDatagrams`, `FaultyDisk` and `FaultyStorage` are
 * covered. Sockets, files, compression and timers of the operating system are not: use `until` to wait for their effects.
 *
 * @since 0.1.0
 * @category services
 */
export class Idle extends Context.Service<Idle, {
  /**
   * Completes when no fiber can go on before the clock or the test makes it. Dies after 100,000 rounds of the event loop, if a
   * fiber yields forever.
   */
  readonly untilIdle: Effect.Effect<void>
}>()("effect-nsq/testing/Idle") {
  /** Provides `Idle` and its scheduler. Below another such Layer both share one count. */
  static readonly layer: Layer.Layer<Idle> = Layer.effectContext(Effect.gen(function*() {
    const current = yield* Scheduler.Scheduler
    const scheduler = current instanceof CountingScheduler ? current : new CountingScheduler(current)
    return Context.make(Idle, scheduler).pipe(Context.add(Scheduler.Scheduler, scheduler))
  }))
}

/**
 * Completes when every fiber waits; see `Idle`.
 *
 * @since 0.1.0
 * @category operations
 */
export const untilIdle: Effect.Effect<void, never, Idle> = Idle.use((idle) => idle.untilIdle)
