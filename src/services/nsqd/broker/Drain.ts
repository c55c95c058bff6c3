/**
 * The drain of a broker: while it lasts, publishes are refused and consumers continue, until the queues are empty. Topics that are
 * empty are withdrawn from discovery, so that consumers are sent to the others only.
 */
import { Effect, FiberHandle, type Scope } from "effect"
import type { TopicName } from "../../../protocol/client/Names.ts"
import type { Time } from "../../core/Time.ts"
import type { Topic } from "./Topic.ts"
import type { TopologyEvent } from "./Topology.ts"

/** The time between two looks at the queues. */
const lookEvery = "1 second"

/** Deferred messages that are due later are not waited for, in ms. */
const soonMillis = 60_000

/**
 * What a topic and its channels still have.
 *
 * @since 0.2.0
 * @category models
 */
export interface Remainder {
  readonly topic: TopicName
  /** Messages that wait in the topic and in all its channels. */
  readonly waiting: number
  readonly inFlight: number
  /** Deferred messages, also those that are not waited for. */
  readonly deferred: number
  /** Whether nothing waits, nothing is in flight, and no deferred message is due within a minute. */
  readonly isEmpty: boolean
}

/**
 * The drain of a broker. It ends with the process: a broker that starts does not drain.
 *
 * @since 0.2.0
 * @category models
 */
export interface Drain {
  readonly isDraining: () => boolean
  /** When the drain began, in Unix seconds; 0 while the broker does not drain. */
  readonly since: () => number
  /** Whether discovery may name the topic: unless it is drained. */
  readonly isOffered: (topic: string) => boolean
  /** What each topic has, in no order. */
  readonly remaining: () => ReadonlyArray<Remainder>
  /** Refuses publishes from now on; does nothing during a drain. */
  readonly begin: Effect.Effect<void>
  /** Accepts publishes again, and offers all topics again. */
  readonly end: Effect.Effect<void>
  /** Completes when every topic is empty. */
  readonly empty: Effect.Effect<void>
}

const remainderOf = (topic: Topic, now: number): Remainder => {
  let waiting = topic.depth
  let inFlight = 0
  let deferred = 0
  let earliest = Infinity
  for (const channel of topic.channels) {
    waiting += channel.depth
    inFlight += channel.inFlightCount
    deferred += channel.deferredCount
    earliest = Math.min(earliest, channel.earliestDeferred)
  }
  const isEmpty = waiting === 0 && inFlight === 0 && earliest > now + soonMillis
  return { topic: topic.name, waiting, inFlight, deferred, isEmpty }
}

/** The drain of the broker that has these topics. `announce` gets the topics that are withdrawn from discovery and offered again. */
export const make = Effect.fnUntraced(function*(
  time: Time,
  topics: () => ReadonlyArray<Topic>,
  announce: (event: TopologyEvent) => void
): Effect.fn.Return<Drain, never, Scope.Scope> {
  const watching = yield* FiberHandle.make<never>()
  const withdrawn = new Set<string>()
  let since: number | undefined

  const remaining = (): ReadonlyArray<Remainder> => {
    const now = time.monotonicMillis()
    return topics().map((topic) => remainderOf(topic, now))
  }

  /** Withdraws topics that became empty, and offers those again whose deferred messages became due. */
  const look = (): ReadonlyArray<Remainder> => {
    const all = remaining()
    for (const { isEmpty, topic } of all) {
      if (isEmpty === withdrawn.has(topic)) continue
      if (isEmpty) withdrawn.add(topic)
      else withdrawn.delete(topic)
      announce({ _tag: isEmpty ? "TopicWithdrawn" : "TopicOffered", topic })
    }
    const names = new Set<string>(all.map(({ topic }) => topic))
    for (const topic of withdrawn) if (!names.has(topic)) withdrawn.delete(topic)
    return all.filter(({ isEmpty }) => !isEmpty)
  }

  const watch = Effect.gen(function*() {
    let wasEmpty = false
    while (true) {
      const isEmpty = look().length === 0
      if (isEmpty && !wasEmpty) yield* Effect.logInfo("DRAIN: all topics are empty")
      wasEmpty = isEmpty
      yield* Effect.sleep(lookEvery)
    }
  })

  const begin = Effect.gen(function*() {
    if (since !== undefined) return
    since = Number(time.wallNanos() / 1_000_000_000n)
    const left = remaining().filter(({ isEmpty }) => !isEmpty)
    yield* Effect.logInfo(`DRAIN: refusing publishes, ${left.length} topics have messages`)
    yield* FiberHandle.run(watching, watch)
  })

  const end = Effect.gen(function*() {
    if (since === undefined) return
    since = undefined
    yield* FiberHandle.clear(watching)
    const again = topics().filter(({ name }) => withdrawn.has(name))
    withdrawn.clear()
    for (const { name } of again) announce({ _tag: "TopicOffered", topic: name })
    yield* Effect.logInfo("DRAIN: ended, accepting publishes")
  })

  const empty: Effect.Effect<void> = Effect.suspend(() =>
    remaining().every(({ isEmpty }) => isEmpty) ? Effect.void : Effect.andThen(Effect.sleep(lookEvery), empty)
  )

  return {
    isDraining: () => since !== undefined,
    since: () => since ?? 0,
    isOffered: (topic) => !withdrawn.has(topic),
    remaining,
    begin: Effect.uninterruptible(begin),
    end: Effect.uninterruptible(end),
    empty
  }
})
