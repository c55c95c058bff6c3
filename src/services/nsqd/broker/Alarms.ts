/**
 * The clock of all channels: one fiber sleeps until the first channel has a message that times out or becomes due.
 * Channels without such messages cost nothing.
 *
 * The fiber is shared on purpose. With one per channel, ten thousand busy channels would have as many sleeping fibers
 * and timers, each reset whenever an earlier deadline arrives; and channels whose messages are due together could not
 * wait once for the input of all their consumers, nor share the time slices.
 *
 * Hundreds of thousands of messages may be due at once. They are processed in slices of a few channels and a bounded
 * number of messages, with a turn of the event loop for other work in between.
 */
import { Effect, type Scope } from "effect"
import * as Input from "../../core/Input.ts"
import type { Time } from "../../core/Time.ts"
import type { Turns } from "../../core/Turns.ts"
import { Wakeup } from "../../core/Wakeup.ts"

/** An object with deadlines: a channel. Only `Alarms` sets the two mutable fields. */
export interface Sleeper {
  /** Its name in the log. */
  readonly label: string
  /** Time of its alarm in monotonic ms; `Infinity` for none. */
  alarmAt: number
  /** Its index in the heap; -1 if it is not in it. */
  alarmPlace: number
  /** Its earliest deadline; `Infinity` without deadlines and after closing. */
  readonly earliestDeadline: () => number
  /** Releases at most `most` due messages; returns how many. */
  readonly releaseDue: (now: number, most: number) => number
  /** The consumers whose input must be processed before timed-out messages are taken back. */
  readonly awaited: (now: number) => ReadonlyArray<Input.InputMark>
  /** The input of all these consumers has been processed. */
  readonly noteHeard: (now: number) => void
  /** Takes back at most `most` timed-out messages; returns how many. */
  readonly expire: (now: number, most: number) => number
}

/** Sleepers and messages per turn. */
const sleepersMax = 32
const messagesMax = 2048

export class Alarms {
  private readonly time: Time
  private readonly turns: Turns
  private readonly heap: Array<Sleeper> = []
  private readonly earlier = new Wakeup()
  /** Time until which the fiber sleeps; `-Infinity` while it does not. */
  private wakesAt = -Infinity

  private constructor(time: Time, turns: Turns) {
    this.time = time
    this.turns = turns
  }

  /** Alarms whose fiber runs until the Scope closes. */
  static readonly make = (time: Time, turns: Turns): Effect.Effect<Alarms, never, Scope.Scope> =>
    Effect.suspend(() => {
      const alarms = new Alarms(time, turns)
      return Effect.as(Effect.forkScoped(alarms.run), alarms)
    })

  /** Wakes the sleeper at `deadline` or earlier. */
  watch(sleeper: Sleeper, deadline: number): void {
    if (deadline >= sleeper.alarmAt) return
    this.set(sleeper, deadline)
    if (deadline < this.wakesAt) this.earlier.call()
  }

  /** Removes a closed sleeper. */
  forget(sleeper: Sleeper): void {
    this.set(sleeper, Infinity)
  }

  /** Wakes sleepers when their alarms are due. */
  private readonly run: Effect.Effect<never> = Effect.gen({ self: this }, function*() {
    while (true) {
      const wait = this.earliest - this.time.monotonicMillis()
      if (wait > 0) {
        this.wakesAt = this.earliest
        yield* wait === Infinity
          ? this.earlier.wait
          : Effect.raceFirst(this.earlier.wait, Effect.sleep(Math.ceil(wait)))
        this.wakesAt = -Infinity
      } else {
        yield* this.ring
      }
    }
  })

  private get earliest(): number {
    return this.heap[0]?.alarmAt ?? Infinity
  }

  /** Processes one slice of the due sleepers. */
  private get ring(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const now = this.time.monotonicMillis()
      const due: Array<Sleeper> = []
      while (due.length < sleepersMax && this.earliest <= now) {
        const sleeper = this.heap[0]!
        this.set(sleeper, Infinity)
        due.push(sleeper)
      }
      const most = Math.floor(messagesMax / due.length)
      const released = yield* isolated(due, (sleeper) => sleeper.releaseDue(now, most))
      const awaited = due.flatMap((sleeper) => sleeper.awaited(now))
      if (awaited.length > 0) {
        yield* Input.heard(awaited)
        for (const sleeper of due) sleeper.noteHeard(now)
      }
      const expired = yield* isolated(due, (sleeper) => {
        const count = sleeper.expire(now, most)
        this.watch(sleeper, sleeper.earliestDeadline())
        return count
      })
      if (released + expired >= most) yield* this.turns.next
    })
  }

  // ---- a binary heap by `alarmAt`

  private set(sleeper: Sleeper, alarmAt: number): void {
    const { heap } = this
    const before = sleeper.alarmAt
    sleeper.alarmAt = alarmAt
    if (sleeper.alarmPlace < 0) {
      if (alarmAt === Infinity) return
      heap.push(sleeper)
      this.rise(sleeper, heap.length - 1)
    } else if (alarmAt === Infinity) {
      const place = sleeper.alarmPlace
      sleeper.alarmPlace = -1
      const last = heap.pop()!
      if (last === sleeper) return
      if (last.alarmAt < before) this.rise(last, place)
      else this.sink(last, place)
    } else if (alarmAt < before) {
      this.rise(sleeper, sleeper.alarmPlace)
    } else {
      this.sink(sleeper, sleeper.alarmPlace)
    }
  }

  private rise(sleeper: Sleeper, from: number): void {
    const { heap } = this
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = heap[parent]!
      if (above.alarmAt <= sleeper.alarmAt) break
      heap[place] = above
      above.alarmPlace = place
      place = parent
    }
    heap[place] = sleeper
    sleeper.alarmPlace = place
  }

  private sink(sleeper: Sleeper, from: number): void {
    const { heap } = this
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.alarmAt < heap[child]!.alarmAt) child++
      const below = heap[child]!
      if (below.alarmAt >= sleeper.alarmAt) break
      heap[place] = below
      below.alarmPlace = place
      place = child
    }
    heap[place] = sleeper
    sleeper.alarmPlace = place
  }
}

/**
 * The sum of the results of `act`. A defect affects only its sleeper, which is not woken again until it has a new
 * deadline.
 */
const isolated = Effect.fnUntraced(function*(sleepers: ReadonlyArray<Sleeper>, act: (sleeper: Sleeper) => number) {
  let sum = 0
  for (const sleeper of sleepers) {
    sum += yield* Effect.catchDefect(
      Effect.sync(() => act(sleeper)),
      (defect) => Effect.as(Effect.logFatal(`${sleeper.label}: stopped`, defect), 0)
    )
  }
  return sum
})
