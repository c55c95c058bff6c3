/**
 * The clock of all channels: one fiber sleeps until the first of them has a message that times out or becomes due. Channels
 * without such messages are not in it, and cost nothing.
 *
 * Hundreds of thousands of messages may be due at once. They are taken in slices, a few channels and a bounded number of
 * messages at a time, with a turn of the event loop for everybody else in between.
 */
import { Effect } from "effect"
import * as Input from "../../core/Input.ts"
import type { Time } from "../../core/Time.ts"
import type { Turns } from "../../core/Turns.ts"
import { Wakeup } from "../../core/Wakeup.ts"

/** What has deadlines: a channel. Only `Alarms` sets the two numbers. */
export interface Sleeper {
  /** What the log calls it. */
  readonly label: string
  /** When it is to be woken, in monotonic ms; `Infinity` for not at all. */
  alarmAt: number
  /** Where it is in the heap; -1 for nowhere. */
  alarmPlace: number
  /** Its earliest deadline; `Infinity` without deadlines and after it is closed. */
  readonly earliestDeadline: () => number
  /** Deals with at most `most` messages that have become due; returns with how many. */
  readonly releaseDue: (now: number, most: number) => number
  /** Whom to hear before the messages that have timed out are taken back. */
  readonly awaited: (now: number) => ReadonlyArray<Input.InputMark>
  /** All of those have been heard. */
  readonly noteHeard: (now: number) => void
  /** Takes back at most `most` messages that have timed out; returns how many. */
  readonly expire: (now: number, most: number) => number
}

/** Sleepers of one turn, and messages of one turn. */
const sleepersMax = 32
const messagesMax = 2048

export class Alarms {
  private readonly time: Time
  private readonly turns: Turns
  private readonly heap: Array<Sleeper> = []
  private readonly earlier = new Wakeup()
  /** Until when the fiber sleeps; not at all at first. */
  private wakesAt = -Infinity

  constructor(time: Time, turns: Turns) {
    this.time = time
    this.turns = turns
  }

  /** The sleeper is woken at `deadline` or before. */
  watch(sleeper: Sleeper, deadline: number): void {
    if (deadline >= sleeper.alarmAt) return
    this.set(sleeper, deadline)
    if (deadline < this.wakesAt) this.earlier.call()
  }

  /** The sleeper is closed. */
  forget(sleeper: Sleeper): void {
    this.set(sleeper, Infinity)
  }

  /** Wakes sleepers, for ever. */
  readonly run: Effect.Effect<never> = Effect.gen({ self: this }, function*() {
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

  /** One slice of what is due. */
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

/** The sum of what `act` returns. A defect concerns the one sleeper only, which is woken no more until it has a new deadline. */
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
