import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Latch, Layer, Logger, Schedule, Scope, Stream } from "effect"
import { KeyValueStore, PersistedQueue } from "effect/persistence"
import { Broker, consume, publish } from "../../../src/broker.ts"
import { Disk } from "../../../src/services/nsqd/disk/Disk.ts"
import * as DiskStorage from "../../../src/services/nsqd/storage/DiskStorage.ts"
import { NsqPersistedQueue, QueueLedger } from "../../../src/services/persistence/index.ts"
import { FaultyDisk, Idle, TestBroker, TestCluster } from "../../../src/testing/index.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import { getsNothing, Job, pass, result, suite, value } from "./suite.ts"

/** A broker with durable topics on the disk of the environment, in a process of its own. */
const durableBroker = TestBroker.layerNoStorage({ durability: "synced", dataPath: "/data" }).pipe(
  Layer.provide(DiskStorage.layer),
  Layer.provide(Layer.effect(Disk, FaultyDisk.useSync(({ process }) => process())))
)

const embedded = NsqPersistedQueue.layerStoreBroker().pipe(Layer.provideMerge(durableBroker), Layer.provide(quiet))

const overNetwork = (ledger: Layer.Layer<QueueLedger>) =>
  Layer.unwrap(
    TestCluster.useSync(({ servers }) => NsqPersistedQueue.layerStoreClient({ servers, maxReqTimeout: "1 minute" }))
  ).pipe(
    Layer.provide(ledger),
    Layer.provideMerge(TestCluster.layer({ nsqlookupds: 0, nsqd: { durability: "synced" } })),
    Layer.provide(quiet)
  )

suite("in Effect's memory", Layer.merge(PersistedQueue.layerStoreMemory, Idle.layer))
suite("on a broker in process", embedded.pipe(Layer.provide(FaultyDisk.layer), Layer.provideMerge(Idle.layer)))
suite("over the network", overNetwork(QueueLedger.layerMemory))
suite(
  "over the network, with ids in a KeyValueStore",
  overNetwork(QueueLedger.layerKeyValueStore().pipe(Layer.provide(KeyValueStore.layerMemory)))
)

/** Runs an effect with the queues of a process. The process is killed at the end, or stopped. */
const process = <A, E, R>(
  use: Effect.Effect<A, E, R>,
  end: "kill" | "stop" = "stop"
) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const queues = Layer.fresh(PersistedQueue.layer.pipe(Layer.provideMerge(embedded)))
    const context = yield* Layer.buildWithScope(queues, scope)
    const value = yield* Scope.provide(use, scope).pipe(Effect.provideContext(context))
    if (end === "kill") (yield* FaultyDisk).kill()
    yield* Scope.close(scope, Exit.void)
    return value
  })

const machine = Effect.provide(Layer.provideMerge(FaultyDisk.layer, Idle.layer))

const jobs = (options: { readonly maxAttempts?: number } = {}) =>
  PersistedQueue.make({ name: "jobs", schema: Job, retrySchedule: Schedule.spaced(0), ...options })

describe("a PersistedQueue on a broker with durable topics", () => {
  it.effect.each(["stop", "kill"] as const)("elements, ids and attempts survive a %s", (end) =>
    Effect.gen(function*() {
      yield* process(
        Effect.gen(function*() {
          const queue = yield* jobs()
          yield* queue.offer({ n: 1n }, { id: "completed" })
          yield* queue.take(value)
          yield* queue.offer({ n: 2n }, { id: "failed once" })
          yield* Effect.flip(queue.take(() => Effect.fail("no")))
          yield* queue.offer({ n: 3n }, { delay: "1 minute" })
          // The log records acknowledgements after a while.
          yield* pass("1 second")
        }),
        end
      )
      yield* process(Effect.gen(function*() {
        const queue = yield* jobs()
        yield* queue.offer({ n: 4n }, { id: "completed" })
        yield* queue.offer({ n: 5n }, { id: "failed once" })
        const again = yield* Effect.forkScoped(queue.take(({ n }, { attempts }) => Effect.succeed([n, attempts])))
        assert.deepStrictEqual(yield* result(again), [2n, 2])
        const delayed = yield* Effect.forkScoped(queue.take(({ n }, { attempts }) => Effect.succeed([n, attempts])))
        yield* pass("50 seconds")
        assert.isUndefined(delayed.pollUnsafe())
        assert.deepStrictEqual(yield* result(delayed), [3n, 1])
        yield* getsNothing(yield* Effect.forkScoped(queue.take(value)))
      }))
    }).pipe(machine))

  it.effect("a kill during an attempt counts it, a stop does not", () =>
    Effect.gen(function*() {
      const start = Effect.gen(function*() {
        const queue = yield* jobs()
        const started = Latch.makeUnsafe()
        yield* Effect.forkScoped(queue.take(() => Effect.andThen(started.open, Effect.never)))
        yield* started.await
        yield* pass("1 second")
      })
      yield* process(Effect.flatMap(jobs(), (queue) => queue.offer({ n: 1n })))
      yield* process(start, "kill")
      yield* process(start)
      const attempts = yield* process(Effect.gen(function*() {
        const queue = yield* jobs()
        return yield* result(yield* Effect.forkScoped(queue.take((_, metadata) => Effect.succeed(metadata.attempts))))
      }))
      assert.strictEqual(attempts, 2)
    }).pipe(machine))

  it.effect("an element whose last attempt ends with the process is failed", () =>
    Effect.gen(function*() {
      yield* process(
        Effect.gen(function*() {
          const queue = yield* jobs({ maxAttempts: 1 })
          yield* queue.offer({ n: 1n })
          const started = Latch.makeUnsafe()
          yield* Effect.forkScoped(queue.take(() => Effect.andThen(started.open, Effect.never)))
          yield* started.await
          yield* pass("1 second")
        }),
        "kill"
      )
      yield* process(Effect.gen(function*() {
        const queue = yield* jobs({ maxAttempts: 1 })
        yield* getsNothing(yield* Effect.forkScoped(queue.take(value)))
        const [failed] = yield* consume("effectq.jobs.failed", "c").pipe(Stream.take(1), Stream.runCollect)
        const body = JSON.parse(String(failed?.body))
        assert.deepStrictEqual([body.element, body.failure], [
          { n: "1" },
          "the process ended during the last attempt"
        ])
      }))
    }).pipe(machine))

  it.effect("failed elements are published to a topic, with the cause of the last failure", () =>
    process(Effect.gen(function*() {
      const queue = yield* jobs({ maxAttempts: 1 })
      yield* queue.offer({ n: 1n }, { id: "mine" })
      yield* Effect.flip(queue.take(() => Effect.fail("no stock")))
      const [failed] = yield* consume("effectq.jobs.failed", "c").pipe(Stream.take(1), Stream.runCollect)
      const { failure, ...body } = JSON.parse(String(failed?.body))
      assert.deepStrictEqual(body, { id: "mine", isCustomId: true, attempts: 1, element: { n: "1" } })
      assert.include(failure, "no stock")
    })).pipe(machine))

  it.effect("a message that is not an element is moved to the topic of failed elements, and workers go on", () =>
    process(Effect.gen(function*() {
      const queue = yield* jobs()
      yield* publish("effectq.jobs", [Buffer.from("not an element")])
      yield* queue.offer({ n: 1n })
      assert.strictEqual(yield* queue.take(value), 1n)
      const [failed] = yield* consume("effectq.jobs.failed", "c").pipe(Stream.take(1), Stream.runCollect)
      assert.strictEqual(String(failed?.body), "not an element")
    })).pipe(machine))

  it.effect("ids of a second store on the same broker are refused instead of shared out", () =>
    process(Effect.gen(function*() {
      const queue = yield* jobs()
      yield* queue.offer({ n: 1n }, { id: "same" })
      const second = yield* Layer.build(Layer.fresh(NsqPersistedQueue.layerStoreBroker()))
      const store = Context.get(second, PersistedQueue.PersistedQueueStore)
      const error = yield* Effect.flip(store.offer({ name: "jobs", id: "same", element: 1, isCustomId: true }))
      assert.include(error.message, "another store of this broker uses it")
    })).pipe(machine))

  it.effect("workers get an error when the topic is deleted, and the next take creates it", () =>
    process(Effect.gen(function*() {
      const queue = yield* jobs()
      const waiting = yield* Effect.forkScoped(Effect.flip(queue.take(value)))
      yield* pass("1 second")
      yield* Broker.use((broker) => broker.deleteTopic("effectq.jobs"))
      assert.strictEqual((yield* result(waiting))._tag, "PersistedQueueError")
      yield* queue.offer({ n: 1n })
      assert.strictEqual(yield* result(yield* Effect.forkScoped(queue.take(value))), 1n)
    })).pipe(machine))

  it.effect("a queue whose topic is not durable is reported once, a durable one is not", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logging = Logger.layer([Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") lines.push(message)
      })])
      for (const options of [{}, { topicDurability: ["effectq.*=written"] }]) {
        const broker = TestBroker.layerNoStorage({ dataPath: "/data", ...options }).pipe(
          Layer.provide(DiskStorage.layer),
          Layer.provide(Layer.effect(Disk, FaultyDisk.useSync((disk) => disk.process()))),
          Layer.provide(FaultyDisk.layer)
        )
        const store = NsqPersistedQueue.layerStoreBroker().pipe(Layer.provide(broker))
        yield* Effect.gen(function*() {
          const queue = yield* jobs()
          yield* queue.offer({ n: 1n })
          yield* queue.offer({ n: 2n })
          yield* queue.take(value)
          yield* queue.take(value)
        }).pipe(Effect.provide(Layer.fresh(Layer.merge(Layer.provide(PersistedQueue.layer, store), logging))))
      }
      assert.strictEqual(lines.length, 1)
      assert.include(String(lines[0]), "effectq.jobs is lost with the process")
    }))
})

describe("a PersistedQueue over the network", () => {
  /** The queues of one process of a cluster. */
  const queues = (ledger: Layer.Layer<QueueLedger>) =>
    Effect.gen(function*() {
      const { servers } = yield* TestCluster
      const context = yield* Layer.build(Layer.fresh(
        PersistedQueue.layer.pipe(
          Layer.provide(NsqPersistedQueue.layerStoreClient({ servers })),
          Layer.provide(ledger)
        )
      ))
      return yield* Effect.provideContext(jobs(), context)
    })

  it.effect("processes share the elements, and a KeyValueStore that they share has the ids of all", () =>
    Effect.gen(function*() {
      const ids = yield* Layer.build(KeyValueStore.layerMemory)
      const ledger = QueueLedger.layerKeyValueStore().pipe(Layer.provide(Layer.succeedContext(ids)))
      const [one, other] = [yield* queues(ledger), yield* queues(ledger)]
      yield* one.offer({ n: 1n }, { id: "same" })
      yield* other.offer({ n: 2n }, { id: "same" })
      yield* other.offer({ n: 3n })
      const taken = yield* Effect.forkScoped(Effect.all([one.take(value), other.take(value)], { concurrency: 2 }))
      assert.sameMembers(yield* result(taken), [1n, 3n])
      yield* getsNothing(yield* Effect.forkScoped(one.take(value)))
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqd: { durability: "synced" } }))))

  it.effect("two elements with one id, of processes that do not share ids, are processed one after the other, once", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 2; i++) {
        const queue = yield* queues(Layer.fresh(QueueLedger.layerMemory))
        yield* queue.offer({ n: 1n }, { id: "same" })
      }
      const workers = yield* queues(Layer.fresh(QueueLedger.layerMemory))
      const release = Latch.makeUnsafe()
      let running = 0
      let handled = 0
      const worker = workers.take(() =>
        Effect.suspend(() => {
          assert.strictEqual(++running, 1)
          handled++
          return Effect.andThen(release.await, Effect.sync(() => void running--))
        })
      )
      yield* Effect.replicateEffect(Effect.forkScoped(worker), 3)
      yield* pass("10 seconds")
      assert.strictEqual(running, 1)
      yield* release.open
      yield* pass("10 seconds")
      assert.deepStrictEqual([handled, running], [1, 0])
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqlookupds: 0, nsqd: { durability: "synced" } }))))

  it.effect("an element that arrives after its take was interrupted goes to another process, without an attempt", () =>
    Effect.gen(function*() {
      const [one, other] = [
        yield* queues(Layer.fresh(QueueLedger.layerMemory)),
        yield* queues(Layer.fresh(QueueLedger.layerMemory))
      ]
      const waiting = yield* Effect.forkScoped(one.take(value))
      yield* pass("5 seconds")
      // The interruption and the message are on the way at the same time.
      yield* Effect.forkScoped(other.offer({ n: 1n }))
      yield* Fiber.interrupt(waiting)
      const taken = yield* Effect.forkScoped(other.take((_, { attempts }) => Effect.succeed(attempts)))
      assert.strictEqual(yield* result(taken), 1)
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqlookupds: 0, nsqd: { durability: "synced" } }))))

  it.effect("an nsqd that is killed during an attempt redelivers the element, and has the others", () =>
    Effect.gen(function*() {
      const { nsqds: [nsqd] } = yield* TestCluster
      assert(nsqd !== undefined)
      const queue = yield* queues(QueueLedger.layerMemory)
      yield* queue.offer({ n: 1n }, { id: "one" })
      yield* queue.offer({ n: 2n }, { id: "two" })
      const [started, release] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
      const first = yield* Effect.forkScoped(queue.take(() => Effect.andThen(started.open, release.await)))
      yield* started.await
      yield* nsqd.kill
      yield* nsqd.start
      yield* release.open
      yield* result(first)
      // The redelivery of the completed element is recognised by its id.
      assert.strictEqual(yield* result(yield* Effect.forkScoped(queue.take(value))), 2n)
      yield* getsNothing(yield* Effect.forkScoped(queue.take(value)))
    }).pipe(Effect.scoped, Effect.provide(TestCluster.layer({ nsqlookupds: 0, nsqd: { durability: "synced" } }))))
})
