/**
 * The laws that every Storage of a broker keeps, to be checked with a Storage of your own. They need no test framework: each law is
 * an Effect that fails with a description of the violation.
 *
 * ```ts
 * const laws = StorageLaws.make({ storage: MyStorage.layer, isPersistent: true, hasLogs: false })
 * for (const { check, name } of laws) it.effect(name, () => Effect.provide(check, MyDatabase.layerEmpty))
 * ```
 */
import { Cause, Effect, Layer, Logger, Scope, Stream } from "effect"
import { isDeepStrictEqual } from "node:util"
import { ChannelName, TopicName } from "../protocol/client/Names.ts"
import type { NsqdMetadata } from "../protocol/storage/NsqdMetadata.ts"
import { Broker } from "../services/nsqd/broker/Broker.ts"
import { consume, publish } from "../services/nsqd/broker/InProcess.ts"
import { Publisher } from "../services/nsqd/broker/Publisher.ts"
import * as Options from "../services/nsqd/options/NsqdOptions.ts"
import { Storage } from "../services/nsqd/storage/Storage.ts"
import { StorageLawError, StorageLawErrorReason } from "./StorageLawError.ts"
import { makeRecords, range, readAll, settle, viewAll } from "./StorageRecords.ts"

/**
 * A Storage to check, and what it offers.
 *
 * @since 0.2.0
 * @category models
 */
export interface StorageLawsOptions<R> {
  /**
   * The Storage. It must be empty at the start of each law: provide `R` anew for each. The laws build it anew over the same `R` to
   * restart the broker.
   */
  readonly storage: Layer.Layer<Storage, unknown, R>
  /** Whether messages and metadata outlive the Layer. */
  readonly isPersistent: boolean
  /** Whether it has logs, for durable topics. */
  readonly hasLogs: boolean
  /**
   * Kills the process that has the Storage; what it does later must have no effect. With it, the laws about kills are checked as well.
   * Default: they are not.
   */
  readonly kill?: Effect.Effect<void, never, R>
}

/**
 * A law.
 *
 * @since 0.2.0
 * @category models
 */
export interface StorageLaw<R> {
  /** A full sentence. */
  readonly name: string
  /** Fails with the reason `Violation` if the law does not hold, and with `Failure` if it cannot be checked. */
  readonly check: Effect.Effect<void, StorageLawError, R>
}

/** Fails unless a value is as expected. */
type Expect = (rule: string, found: unknown, expected: unknown) => Effect.Effect<void, StorageLawError>

const expecting = (law: string): Expect => (rule, found, expected) =>
  isDeepStrictEqual(found, expected)
    ? Effect.void
    : Effect.fail(new StorageLawError({ law, reason: StorageLawErrorReason.Violation({ rule, expected, found }) }))

const quiet = Logger.layer([])

const metadata: NsqdMetadata = {
  topics: [
    { name: "orders", paused: false, channels: [{ name: "kitchen", paused: true }] },
    { name: "empty", paused: true, channels: null }
  ],
  version: "1.3.0"
}

/** The names of topics and channels in metadata, as those of their queues. */
const namesIn = (found: NsqdMetadata | undefined): ReadonlyArray<string> =>
  Array.from(
    new Set((found?.topics ?? []).flatMap(({ channels, name }) => [
      name,
      ...(channels ?? []).map((channel) => `${name}:${channel.name}`)
    ]))
  ).toSorted()

/** The laws of the queues of one Storage while it is open. */
const queueLaws: ReadonlyArray<
  readonly [name: string, law: (expect: Expect) => Effect.Effect<void, unknown, Storage>]
> = [
  [
    "a queue returns what was appended, in order",
    Effect.fnUntraced(function*(expect) {
      const records = makeRecords()
      const queue = yield* Effect.flatMap(Storage, ({ openQueue }) => openQueue("t"))
      yield* expect("a new queue is empty", [queue.depth, queue.hasMore, yield* queue.read(100)], [0, false, undefined])
      yield* queue.append([records(range(0, 3)), records(range(3, 4))])
      yield* queue.append([records(range(4, 100))])
      yield* expect("the depth counts all messages", [queue.depth, queue.hasMore], [100, true])
      const { numbers } = yield* readAll(queue)
      yield* expect("every message is read once, in order", numbers, range(0, 100))
      yield* expect("a queue that has been read is empty", [queue.depth, queue.hasMore], [0, false])
      yield* queue.append([records(range(100, 102))])
      const more = yield* readAll(queue)
      yield* expect("a later message follows", more.numbers, range(100, 102))
    }, Effect.scoped)
  ],
  [
    "queues are separate, and each has its name",
    Effect.fnUntraced(function*(expect) {
      const records = makeRecords()
      const { hasQueue, openQueue } = yield* Storage
      yield* expect("there is no queue before it is opened", yield* hasQueue("t"), false)
      const one = yield* openQueue("t")
      const other = yield* openQueue("t:c")
      yield* one.append([records(range(0, 5))])
      yield* other.append([records(range(5, 8))])
      yield* expect("each has its name", [one.name, other.name], ["t", "t:c"])
      yield* expect("each has its own depth", [one.depth, other.depth], [5, 3])
      yield* other.empty
      yield* expect("emptying one leaves the other", [one.depth, (yield* readAll(one)).numbers], [5, range(0, 5)])
      yield* expect("there are queues of both names", [yield* hasQueue("t"), yield* hasQueue("t:c")], [true, true])
    }, Effect.scoped)
  ],
  [
    "a queue that is opened again has the messages that were not settled, in order",
    Effect.fnUntraced(function*(expect) {
      const records = makeRecords()
      const { openQueue } = yield* Storage
      yield* Effect.scoped(Effect.gen(function*() {
        const queue = yield* openQueue("t")
        yield* queue.append([records(range(0, 10))])
        yield* queue.append([records(range(10, 20))])
        const first = yield* queue.read(1)
        if (first === undefined) return yield* expect("the first read returns messages", first, "a run")
        const { numbers } = yield* readAll(queue)
        yield* expect("the rest is read", first.count + numbers.length, 20)
        settle(first, 0, first.count)
      }))
      const again = yield* openQueue("t")
      const { numbers } = yield* readAll(again)
      yield* expect("settled messages do not return", numbers.length < 20 && numbers[0] !== 0, true)
      yield* expect("the others return in order", numbers, range(20 - numbers.length, 20))
    }, Effect.scoped)
  ],
  [
    "messages may be settled in any order, one by one",
    Effect.fnUntraced(function*(expect) {
      const records = makeRecords()
      const { openQueue } = yield* Storage
      yield* Effect.scoped(Effect.gen(function*() {
        const queue = yield* openQueue("t")
        yield* queue.append([records(range(0, 6))])
        const { runs } = yield* readAll(queue)
        let first = 0
        for (const run of runs) {
          for (const i of range(0, run.count).toReversed()) if ((first + i) % 2 === 1) settle(run, i, i + 1)
          first += run.count
        }
      }))
      const again = yield* openQueue("t")
      yield* expect("the depth counts those that are left", again.depth, 3)
      yield* expect("exactly those return that were not settled", (yield* readAll(again)).numbers, [0, 2, 4])
    }, Effect.scoped)
  ],
  [
    "an empty or deleted queue keeps nothing",
    Effect.fnUntraced(function*(expect) {
      const records = makeRecords()
      const { openQueue } = yield* Storage
      yield* Effect.scoped(Effect.gen(function*() {
        const queue = yield* openQueue("t")
        yield* queue.append([records(range(0, 10))])
        const run = yield* queue.read(1)
        yield* queue.empty
        yield* expect("an emptied queue has no messages", [queue.depth, queue.hasMore], [0, false])
        if (run !== undefined) settle(run, 0, run.count)
        yield* queue.append([records(range(10, 12))])
        yield* expect("it takes messages again", (yield* readAll(queue)).numbers, [10, 11])
        yield* queue.empty
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        const queue = yield* openQueue("t")
        yield* expect("what was read before it was emptied does not return", (yield* readAll(queue)).numbers, [])
        yield* queue.append([records(range(12, 14))])
        yield* queue.delete
      }))
      const fresh = yield* openQueue("t")
      yield* expect("a queue of the name of a deleted one is new", (yield* readAll(fresh)).numbers, [])
    }, Effect.scoped)
  ],
  [
    "a queue that has a view shows what waits, without reading it",
    Effect.fnUntraced(function*(expect) {
      const records = makeRecords()
      const { openQueue } = yield* Storage
      const queue = yield* openQueue("t")
      const { view } = queue
      if (view === undefined) return
      yield* expect("an empty queue shows nothing", yield* viewAll(view), [])
      yield* queue.append([records(range(0, 10))])
      yield* queue.append([records(range(10, 20))])
      const shown = queue.view === undefined ? [] : yield* viewAll(queue.view)
      yield* expect("everything is shown in order", shown.map(({ number }) => number), range(0, 20))
      yield* expect("a view ends where the queue ended", yield* viewAll(view), [])
      yield* expect("what was shown still waits", queue.depth, 20)
      const last = queue.view === undefined ? [] : yield* viewAll(queue.view, shown[14]?.next)
      yield* expect("a view goes on behind a message", last.map(({ number }) => number), range(15, 20))
      const run = yield* queue.read(1)
      const left = queue.view === undefined ? [] : yield* viewAll(queue.view)
      yield* expect("what is read waits no more", left.map(({ number }) => number), range(run?.count ?? 0, 20))
    }, Effect.scoped)
  ],
  [
    "metadata, durabilities, policies and creations are stored as given",
    Effect.fnUntraced(function*(expect) {
      const storage = yield* Storage
      yield* expect("there is no metadata at first", yield* storage.loadMetadata, undefined)
      yield* storage.saveMetadata(() => metadata)
      yield* expect("metadata is loaded as saved", yield* storage.loadMetadata, metadata)
      yield* expect("there are no durabilities at first", [...yield* storage.loadDurabilities], [])
      yield* storage.saveDurabilities(new Map([["orders", "memory"]]))
      yield* expect("durabilities are loaded as saved", [...yield* storage.loadDurabilities], [["orders", "memory"]])
      yield* expect("there are no policies at first", yield* storage.loadPolicies, [])
      yield* storage.savePolicies([{ match: "orders", max_depth: 10 }])
      yield* expect("policies are loaded as saved", yield* storage.loadPolicies, [{ match: "orders", max_depth: 10 }])
      const registered = yield* storage.recordCreation("new", Effect.succeed("registered"))
      yield* expect("a creation runs its registration", registered, "registered")
      yield* expect("an empty storage is well", [storage.refusal(), yield* storage.health], [undefined, undefined])
    })
  ]
]

/** A Storage in use, until it is stopped or killed. */
type Using<R> = <A, E>(
  use: Effect.Effect<A, E, Storage | R | Scope.Scope>,
  end?: Effect.Effect<void, never, R>
) => Effect.Effect<A, unknown, R>

/** The laws of a Storage that ends and starts again. `how` is the end. */
const restartLaws = <R>(
  how: string,
  using: Using<R>,
  end: Effect.Effect<void, never, R>,
  { hasLogs }: StorageLawsOptions<R>
): ReadonlyArray<readonly [name: string, law: (expect: Expect) => Effect.Effect<void, unknown, R>]> => {
  const broker = (options: Partial<Options.NsqdOptions>) =>
    Layer.provideMerge(Publisher.layer, Broker.layer).pipe(Layer.provide(Options.layer(options)), Layer.fresh)
  const received = (options: Partial<Options.NsqdOptions>, count: number) =>
    using(
      consume("orders", "kitchen", { maxInFlight: 100 }).pipe(
        Stream.tap(({ finish }) => finish),
        Stream.map(({ attempts, body }) => `${Buffer.from(body)}, attempt ${attempts}`),
        Stream.take(count),
        Stream.runCollect,
        Effect.provide(broker(options))
      )
    )
  const bodies = ["tea", "coffee", "cake"].map((body) => Buffer.from(body))
  return [
    [
      `queues and metadata survive ${how}`,
      Effect.fnUntraced(function*(expect) {
        const records = makeRecords()
        yield* using(
          Effect.gen(function*() {
            const storage = yield* Storage
            yield* storage.saveMetadata(() => metadata)
            yield* storage.recordCreation("new", Effect.void)
            yield* storage.recordCreation("new:channel", Effect.void)
            const queue = yield* storage.openQueue("orders")
            yield* queue.append([records(range(0, 50))])
            yield* queue.sync
          }),
          end
        )
        yield* using(Effect.gen(function*() {
          const storage = yield* Storage
          const names = namesIn(yield* storage.loadMetadata)
          yield* expect("every topic and channel is there", names, [
            "empty",
            "new",
            "new:channel",
            "orders",
            "orders:kitchen"
          ])
          yield* expect("the queue is there", yield* storage.hasQueue("orders"), true)
          const queue = yield* storage.openQueue("orders")
          yield* expect("every message is there, in order", (yield* readAll(queue)).numbers, range(0, 50))
        }))
      })
    ],
    [
      `a broker without memory for messages has all of them after ${how}`,
      Effect.fnUntraced(function*(expect) {
        const options = { memQueueSize: 0, syncEvery: 1 }
        yield* using(
          Effect.gen(function*() {
            yield* Broker.use((broker) => broker.channel(TopicName.make("orders"), ChannelName.make("kitchen")))
            yield* publish("orders", bodies)
          }).pipe(Effect.provide(broker(options))),
          end
        )
        const again = yield* received(options, bodies.length)
        yield* expect("every message is delivered", again, ["tea, attempt 1", "coffee, attempt 1", "cake, attempt 1"])
      })
    ],
    ...(hasLogs
      ? [
        [
          `a durable topic has all messages after ${how}`,
          Effect.fnUntraced(function*(expect: Expect) {
            const options: Partial<Options.NsqdOptions> = { durability: "written" }
            yield* using(
              Effect.gen(function*() {
                yield* publish("orders", bodies)
                yield* consume("orders", "kitchen", { maxInFlight: 1 }).pipe(
                  Stream.take(1),
                  Stream.runForEach(({ requeue }) => requeue())
                )
                yield* Storage.use(({ hasLog }) =>
                  Effect.flatMap(hasLog("orders"), (has) => expect("it has a log", has, true))
                )
                // Within this time the state of the channel is written.
                yield* Effect.forkScoped(Effect.sleep("1 second"))
              }).pipe(Effect.provide(broker(options))),
              end
            )
            const again = yield* received(options, bodies.length)
            const [all] = [again.map((text) => text.replace(/, attempt.*/, "")).toSorted()]
            yield* expect("every message is delivered", all, ["cake", "coffee", "tea"])
          })
        ] as const
      ]
      : [])
  ]
}

/**
 * Returns the laws of a Storage: those of its queues and metadata; if it is persistent, those of a restart; with `kill`, those of a
 * kill.
 *
 * @since 0.2.0
 * @category constructors
 */
export const make = <R>(options: StorageLawsOptions<R>): ReadonlyArray<StorageLaw<R>> => {
  const law = (
    name: string,
    check: (expect: Expect) => Effect.Effect<void, unknown, R>
  ): StorageLaw<R> => ({
    name,
    check: check(expecting(name)).pipe(
      Effect.catchCause((cause) => {
        const violation = cause.reasons.map((reason) => Cause.isFailReason(reason) ? reason.error : undefined)
          .find((error) => error instanceof StorageLawError)
        return Effect.fail(
          violation ?? new StorageLawError({ law: name, reason: StorageLawErrorReason.Failure({ cause }) })
        )
      }),
      Effect.provide(quiet)
    )
  })
  /** Uses the Storage in a process of its own. */
  const using: Using<R> = (use, end = Effect.void) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.fresh(options.storage), scope)
      return yield* Scope.provide(use, scope).pipe(
        Effect.provideContext(context),
        Effect.tap(() => end),
        Effect.onExit((exit) => Scope.close(scope, exit))
      )
    })
  const restarts = options.isPersistent ? restartLaws("a stop", using, Effect.void, options) : []
  const kills = options.isPersistent && options.kill !== undefined
    ? restartLaws("a kill", using, options.kill, options)
    : []
  return [
    ...queueLaws.map(([name, check]) => law(name, (expect) => using(check(expect)))),
    ...[...restarts, ...kills].map(([name, check]) => law(name, check))
  ]
}
