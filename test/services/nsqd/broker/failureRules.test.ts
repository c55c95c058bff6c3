import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as FilePool from "../../../../src/services/nsqd/disk/FilePool.ts"
import { type Fault, FaultyDisk, until, untilIdle } from "../../../../src/testing/index.ts"
import { layer, start } from "./durable.ts"
import { join, type Joined, send } from "./testing.ts"

const kib = 1024
const durabilities = ["written", "synced"] as const
const ordersDirectory = "/data/log/orders"

/** The paths of the files of a topic's log, in the order of their numbers. */
const filesOf = (kind: "segment" | "state", directory = ordersDirectory) =>
  FaultyDisk.use((faulty) =>
    Effect.sync(() =>
      Array.from(faulty.files().keys())
        .filter((path) => path.startsWith(`${directory}/`) && path.endsWith(`.${kind}`))
        .sort()
    )
  )

const isSegmentOf = (topic: string, path: string): boolean =>
  path.startsWith(`/data/log/${topic}/`) && path.endsWith(".segment")

/** Fails operations on the segments of the topic `orders`. */
const onSegments = (operation: Parameters<Fault>[0], fault: ReturnType<Fault>): Fault => (attempted, path) =>
  attempted === operation && isSegmentOf("orders", path) ? fault : undefined

/** Operations that change a disk. */
const changing = new Set<Parameters<Fault>[0]>(["write", "truncate", "rename", "remove", "mkdir", "rmdir"])

const readOnly: Fault = (operation) => changing.has(operation) ? "EROFS" : undefined

/** Finishes what the consumer has received and adds it to `seen`. */
const finishAll = ({ recording, subscription }: Joined, seen: Array<string>): void => {
  for (const { body, id } of recording.take()) {
    subscription.finish(messageKey(id))
    seen.push(body)
  }
}

/** Finishes messages until these have been received, in any order. */
const receive = Effect.fnUntraced(function*(joined: Joined, ...bodies: ReadonlyArray<string>) {
  const seen: Array<string> = []
  yield* until(() => {
    finishAll(joined, seen)
    return seen.length >= bodies.length
  }, `the consumer receives ${bodies.join(", ")}`)
  assert.sameMembers(seen, [...bodies])
})

/** Lets time pass until the condition holds. */
const eventually = Effect.fnUntraced(function*<E, R>(condition: Effect.Effect<boolean, E, R>, what: string) {
  yield* until(Effect.andThen(TestClock.adjust("100 millis"), condition), what)
})

const healthy = (broker: Effect.Success<ReturnType<typeof start>>) =>
  eventually(Effect.map(broker.health, (health) => health === undefined), "the storage is healthy")

/** Cuts a file. */
const cut = (path: string, size: number) =>
  FaultyDisk.use((faulty) => Effect.sync(() => faulty.put(path, faulty.files().get(path)!.subarray(0, size))))

/** Where the records of a segment start. */
const recordsOf = (path: string) =>
  FaultyDisk.use((faulty) =>
    Effect.sync(() => {
      const bytes = faulty.files().get(path) ?? Buffer.alloc(0)
      const starts: Array<number> = []
      for (let at = bytes.indexOf("NSQL"); at >= 0; at = bytes.indexOf("NSQL", at + 1)) starts.push(at)
      return starts
    })
  )

const failures: ReadonlyArray<{ readonly name: string; readonly fault: Fault; readonly text: RegExp }> = [
  { name: "a write fails", fault: onSegments("write", "EIO"), text: /input\/output error/ },
  { name: "a write is cut", fault: onSegments("write", { code: "EIO", written: 20 }), text: /input\/output error/ },
  { name: "a write has no space", fault: onSegments("write", "ENOSPC"), text: /no space left on device/ }
]

describe("a durable topic whose disk fails to write", () => {
  for (const durability of durabilities) {
    for (const { fault, name, text } of failures) {
      it.effect(`when ${name}, its publish fails, other topics continue, and the topic recovers without a publish (${durability})`, () =>
        Effect.gen(function*() {
          const faulty = yield* FaultyDisk
          const first = yield* start({ durability })
          yield* first.run(Effect.gen(function*() {
            const orders = yield* join("orders", "c", 100)
            const other = yield* join("other", "c", 100)
            yield* send("orders", "before")
            yield* send("other", "other before")
            faulty.fail(fault)
            const error = yield* Effect.flip(send("orders", "refused"))
            assert.match(error.message, text)
            assert.notMatch(error.message, /exiting/i)
            assert.match((yield* first.health) ?? "", text)
            assert.match(
              first.log(),
              /Error LOG\(orders\): failed to write, publishes fail until the disk works - write \/data\/log/
            )
            yield* send("other", "other meanwhile")
            // The log retries repeatedly and reports the failure once.
            yield* TestClock.adjust("10 seconds")
            yield* Effect.flip(send("orders", "refused"))
            assert.match((yield* first.health) ?? "", text)
            faulty.fail(undefined)
            yield* healthy(first)
            assert.strictEqual(first.log().split("LOG(orders): failed to write").length, 2)
            assert.match(first.log(), /Info LOG\(orders\): can write again/)
            yield* send("orders", "after")
            yield* receive(orders, "before", "after")
            yield* receive(other, "other before", "other meanwhile")
          })).pipe(Effect.scoped)
          yield* TestClock.adjust("100 millis")
          yield* first.kill
          const second = yield* start({ durability })
          yield* second.run(Effect.gen(function*() {
            const orders = yield* join("orders", "c", 100)
            yield* send("orders", "last")
            yield* receive(orders, "last")
          })).pipe(Effect.scoped)
          yield* second.stop
        }).pipe(Effect.provide(layer)))
    }
  }

  it.effect("a publish recovers a topic at once, in a new segment", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const broker = yield* start()
      yield* broker.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 100)
        yield* send("orders", "before")
        const [segment = ""] = yield* filesOf("segment")
        faulty.fail(onSegments("write", "EIO"))
        yield* Effect.flip(send("orders", "refused"))
        const content = faulty.files().get(segment)
        faulty.fail(undefined)
        yield* send("orders", "after")
        assert.strictEqual((yield* filesOf("segment")).length, 2)
        // After a failed write the file is never written again.
        assert.deepStrictEqual(faulty.files().get(segment), content)
        assert.isUndefined(yield* broker.health)
        yield* receive(orders, "before", "after")
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  it.effect("when a sync fails, the publish of a synced topic fails and the segment is not written again", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const broker = yield* start({ durability: "synced" })
      yield* broker.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 100)
        yield* send("orders", "before")
        faulty.fail(onSegments("fsync", "EIO"))
        assert.match((yield* Effect.flip(send("orders", "refused"))).message, /input\/output error/)
        assert.match((yield* broker.health) ?? "", /input\/output error/)
        faulty.fail(undefined)
        yield* send("orders", "after")
        assert.isUndefined(yield* broker.health)
        assert.strictEqual((yield* filesOf("segment")).length, 2)
        yield* receive(orders, "before", "after")
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  it.effect("the file of a segment whose sync has failed is not used again for another segment", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const broker = yield* start({ durability: "synced" })
      yield* broker.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 1000)
        const bodies = Array.from({ length: 100 }, (_, i) => String(i).padEnd(16 * kib))
        yield* send("orders", ...bodies)
        faulty.fail(onSegments("fsync", "EIO"))
        yield* Effect.flip(send("orders", "refused"))
        faulty.fail(undefined)
        yield* send("orders", "after")
        yield* receive(orders, ...bodies, "after")
        yield* TestClock.adjust("100 millis")
        assert.strictEqual((yield* filesOf("segment")).length, 1)
        assert.isUndefined(Array.from(faulty.files().keys()).find((path) => path.endsWith("spare.tmp")))
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  it.effect("when a periodic sync fails, health shows it, a new segment starts, and accepted messages are delivered", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const broker = yield* start({ durability: "written" })
      yield* broker.run(Effect.gen(function*() {
        yield* join("orders", "c", 0)
        yield* send("orders", "before")
        faulty.fail(onSegments("fsync", "EIO"))
        yield* eventually(Effect.map(broker.health, (health) => health !== undefined), "the sync fails")
        assert.match((yield* broker.health) ?? "", /fsync \/data\/log\/orders\/.*: input\/output error/)
        faulty.fail(undefined)
        yield* healthy(broker)
        yield* send("orders", "after")
        assert.strictEqual((yield* filesOf("segment")).length, 2)
        yield* receive(yield* join("orders", "c", 100), "before", "after")
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  it.effect("while the disk is read-only, publishes fail and consumers continue; what they finish is recorded later", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const first = yield* start()
      yield* first.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 0)
        yield* send("orders", "a", "b", "c")
        yield* TestClock.adjust("1 second")
        faulty.fail(readOnly)
        assert.match((yield* Effect.flip(send("orders", "refused"))).message, /read-only file system/)
        assert.match((yield* first.health) ?? "", /read-only file system/)
        orders.subscription.setReady(100)
        yield* receive(orders, "a", "b", "c")
        yield* TestClock.adjust("5 seconds")
        assert.match(
          first.log(),
          /Error LOG\(orders\): failed to record the channels' state, retrying - .*read-only file system/
        )
        assert.strictEqual(first.log().split("failed to record").length, 2)
        faulty.fail(undefined)
        yield* healthy(first)
        assert.match(first.log(), /Info LOG\(orders\): can record the channels' state again/)
        yield* send("orders", "after")
      })).pipe(Effect.scoped)
      yield* first.kill
      const second = yield* start()
      yield* second.run(Effect.gen(function*() {
        yield* receive(yield* join("orders", "c", 100), "after")
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))
})

describe("a durable topic without space", () => {
  const body = "x".repeat(8 * kib)

  const fill = Effect.gen(function*() {
    for (let taken = 0;; taken++) {
      const exit = yield* Effect.exit(send("orders", body))
      if (Exit.isFailure(exit)) return { taken, exit }
    }
  })

  const drain = Effect.fnUntraced(function*(joined: Joined, count: number) {
    const seen: Array<string> = []
    yield* eventually(
      Effect.sync(() => {
        finishAll(joined, seen)
        return seen.length >= count
      }),
      `${count} messages are received`
    )
    assert.strictEqual(seen.length, count)
    yield* TestClock.adjust("2 seconds")
  })

  for (const durability of durabilities) {
    it.effect(`on a full disk publishes fail, consumers continue, and publishing resumes without a restart (${durability})`, () =>
      Effect.gen(function*() {
        ;(yield* FaultyDisk).resize(2048 * kib)
        const first = yield* start({ durability })
        yield* TestClock.adjust("1 second")
        let left = 0
        yield* first.run(Effect.gen(function*() {
          const orders = yield* join("orders", "c", 100)
          for (let round = 0; round < 3; round++) {
            const { exit, taken } = yield* fill
            assert.isAbove(taken, 50)
            assert.match(String(exit), /no space left on device/)
            assert.notMatch(String(exit), /exiting/i)
            assert.match((yield* first.health) ?? "", /no space left on device/)
            yield* drain(orders, taken)
            yield* healthy(first)
          }
          left = (yield* fill).taken
        })).pipe(Effect.scoped)
        yield* TestClock.adjust("1 second")
        yield* first.kill
        // The disk is still full.
        const second = yield* start({ durability })
        yield* second.run(Effect.gen(function*() {
          const orders = yield* join("orders", "c", 100)
          yield* drain(orders, left)
          yield* healthy(second)
          yield* send("orders", "after")
          yield* receive(orders, "after")
        })).pipe(Effect.scoped)
        yield* second.stop
      }).pipe(Effect.provide(layer)))
  }

  it.effect("below --min-free-bytes durable topics refuse messages, memory topics accept them, and consumers continue", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.resize(2048 * kib)
      const options = { minFreeBytes: 500 * kib, topicDurability: ["metrics=memory"] }
      const first = yield* start(options)
      yield* first.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 0)
        yield* send("orders", "a", "b")
        yield* send("metrics", "m")
        faulty.put("/data/other", Buffer.alloc(1600 * kib))
        yield* eventually(Effect.map(first.health, (health) => health !== undefined), "the shortage is detected")
        assert.match(
          (yield* first.health) ?? "",
          /^\/data has \d+ bytes of free space, less than --min-free-bytes \(512000\)$/
        )
        const error = yield* Effect.flip(send("orders", "refused"))
        assert.match(error.message, /less than --min-free-bytes/)
        assert.strictEqual(error._tag === "BrokerError" ? error.reason._tag : error._tag, "DiskFull")
        assert.match(first.log(), /Error DISK: .*; durable topics refuse messages until space is available/)
        yield* send("metrics", "m")
        orders.subscription.setReady(100)
        yield* receive(orders, "a", "b")
        yield* TestClock.adjust("1 second")
      })).pipe(Effect.scoped)
      yield* first.kill
      const second = yield* start(options)
      yield* second.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 100)
        // It is known from the start on.
        assert.match((yield* Effect.flip(send("orders", "refused"))).message, /less than --min-free-bytes/)
        faulty.put("/data/other", Buffer.alloc(100 * kib))
        yield* healthy(second)
        assert.match(second.log(), /Info DISK: there is enough free space again/)
        yield* send("orders", "after")
        yield* receive(orders, "after")
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  it.effect("a burst of messages does not fill the disk below --min-free-bytes between two periodic looks", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.resize(4096 * kib)
      const broker = yield* start({ durability: "written", minFreeBytes: 1024 * kib })
      yield* broker.run(Effect.gen(function*() {
        yield* send("orders", "the first")
        // The reserve is created.
        yield* TestClock.adjust("1 second")
        const { exit, taken } = yield* fill
        assert.match(String(exit), /less than --min-free-bytes/)
        assert.isAbove(taken, 100)
      }))
      const used = Array.from(faulty.files().values()).reduce((sum, { length }) => sum + length, 0)
      assert.isAtMost(used, 3200 * kib)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))
})

describe("a durable topic whose files cannot be read", () => {
  it.effect("a read error is retried, names the file, keeps it, and does not stop publishes and other topics", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const first = yield* start()
      yield* first.run(Effect.gen(function*() {
        yield* join("orders", "c", 0)
        yield* send("orders", "a")
        yield* send("orders", "b")
      })).pipe(Effect.scoped)
      yield* first.stop
      const second = yield* start()
      const [segment = ""] = yield* filesOf("segment")
      const repair = faulty.failReads(segment, 0, 4096)
      yield* second.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 100)
        yield* eventually(Effect.map(second.health, (health) => health !== undefined), "the read fails")
        assert.strictEqual(yield* second.health, `read ${segment}: input/output error`)
        assert.match(
          second.log(),
          /Error CHANNEL\(c\).*failed to read from disk, retrying - read .*input\/output error/
        )
        yield* send("orders", "c")
        const other = yield* join("other", "c", 100)
        yield* send("other", "o")
        yield* receive(other, "o")
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(orders.recording.bodies(), [])
        assert.include(yield* filesOf("segment"), segment)
        repair()
        yield* eventually(Effect.sync(() => orders.recording.bodies().length === 3), "the messages are read")
        yield* receive(orders, "a", "b", "c")
        assert.isUndefined(yield* second.health)
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  for (const isRepaired of [true, false]) {
    it.effect(
      isRepaired
        ? "a start retries to read a file, and delivers all messages"
        : "a start fails with the name of a file that cannot be read, and changes nothing",
      () =>
        Effect.gen(function*() {
          const faulty = yield* FaultyDisk
          const first = yield* start()
          yield* first.run(Effect.gen(function*() {
            yield* join("orders", "c", 0)
            yield* send("orders", "a", "b")
          })).pipe(Effect.scoped)
          yield* first.stop
          const [segment = ""] = yield* filesOf("segment")
          const before = faulty.files().get(segment)
          const repair = faulty.failReads(segment, 0, 64)
          const starting = yield* Effect.forkChild(Effect.exit(start()), { startImmediately: true })
          yield* TestClock.adjust("500 millis")
          yield* untilIdle
          assert.isUndefined(starting.pollUnsafe())
          if (isRepaired) repair()
          yield* TestClock.adjust("5 seconds")
          const started = yield* Fiber.join(starting)
          if (!isRepaired) {
            assert.include(String(started), `read ${segment}: input/output error`)
            repair()
            assert.deepStrictEqual(faulty.files().get(segment), before)
          }
          const second = Exit.isSuccess(started) ? started.value : yield* start()
          yield* second.run(Effect.gen(function*() {
            yield* receive(yield* join("orders", "c", 100), "a", "b")
          })).pipe(Effect.scoped)
          yield* second.stop
        }).pipe(Effect.provide(layer))
    )
  }

  it.effect("without file descriptors publishes and reads wait, and nothing is lost or set aside", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const pooled = Layer.succeed(Disk, FilePool.make(yield* Disk, 64))
      const options = { durability: "written", segmentSize: 64 * kib } as const
      const body = "x".repeat(40 * kib)
      const first = yield* start(options).pipe(Effect.provide(pooled))
      yield* first.run(Effect.gen(function*() {
        yield* join("orders", "c", 0)
        yield* send("orders", body)
      })).pipe(Effect.scoped)
      yield* first.stop
      const second = yield* start(options).pipe(Effect.provide(pooled))
      yield* second.run(Effect.gen(function*() {
        faulty.limitOpenFiles(0)
        const orders = yield* join("orders", "c", 100)
        const publishing = yield* Effect.forkChild(
          Effect.forEach([1, 2, 3], () => send("orders", body), { discard: true })
        )
        yield* TestClock.adjust("1 minute")
        assert.isUndefined(publishing.pollUnsafe())
        assert.match(second.log(), /too many open files; closing idle files and retrying/)
        faulty.limitOpenFiles(Infinity)
        yield* eventually(Effect.sync(() => orders.recording.bodies().length === 4), "all messages are delivered")
        yield* receive(orders, body, body, body, body)
        assert.isTrue(Exit.isSuccess(publishing.pollUnsafe() ?? Exit.void))
        assert.isUndefined(yield* second.health)
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  for (const { at, part } of [{ part: "header", at: 20 }, { part: "payload", at: 70 }]) {
    for (const moment of ["before a start", "while the daemon runs"] as const) {
      it.effect(`a record whose ${part} is damaged ${moment} costs its own messages only, and is reported`, () =>
        Effect.gen(function*() {
          const faulty = yield* FaultyDisk
          const first = yield* start()
          yield* first.run(Effect.gen(function*() {
            yield* join("orders", "c", 0)
            for (const body of ["a", "b", "c", "d"]) yield* send("orders", body)
          })).pipe(Effect.scoped)
          yield* first.stop
          const [segment = ""] = yield* filesOf("segment")
          const damage = Effect.map(recordsOf(segment), (starts) => {
            assert.strictEqual(starts.length, 4)
            faulty.flipBit(segment, starts[1]! + at)
          })
          if (moment === "before a start") yield* damage
          const second = yield* start()
          if (moment === "while the daemon runs") yield* damage
          yield* second.run(Effect.gen(function*() {
            const orders = yield* join("orders", "c", 100)
            yield* receive(orders, "a", "c", "d")
            assert.match(
              second.log(),
              moment === "before a start"
                ? /\.segment is damaged: 1 messages from 2 on are lost/
                : /Error LOG\(orders\): .*damaged.*; messages lost: 1/
            )
            yield* send("orders", "e")
            yield* receive(orders, "e")
            assert.strictEqual(orders.channel.depth, 0)
            assert.isUndefined(yield* second.health)
          })).pipe(Effect.scoped)
          yield* second.stop
        }).pipe(Effect.provide(layer)))
    }
  }

  for (const moment of ["before a start", "while the daemon runs"] as const) {
    it.effect(`a segment that is removed ${moment} costs its own messages only, and is reported`, () =>
      Effect.gen(function*() {
        const options = { segmentSize: 64 * kib } as const
        const bodies = ["a", "b", "c"].map((letter) => letter.repeat(40 * kib))
        const first = yield* start(options)
        yield* first.run(Effect.gen(function*() {
          yield* join("orders", "c", 0)
          for (const body of bodies) yield* send("orders", body)
        })).pipe(Effect.scoped)
        yield* first.stop
        const [, middle = ""] = yield* filesOf("segment")
        const remove = Effect.andThen(Disk, (disk) => disk.remove(middle))
        if (moment === "before a start") yield* remove
        const second = yield* start(options)
        if (moment === "while the daemon runs") yield* remove
        yield* second.run(Effect.gen(function*() {
          const orders = yield* join("orders", "c", 100)
          yield* receive(orders, bodies[0]!, bodies[2]!)
          assert.match(second.log(), /Error LOG\(orders\): .*missing; messages lost: 1/)
          assert.strictEqual(orders.channel.depth, 0)
          assert.isUndefined(yield* second.health)
        })).pipe(Effect.scoped)
        yield* second.stop
      }).pipe(Effect.provide(layer)))
  }

  for (const left of [0, 10]) {
    it.effect(`a checkpoint that is cut to ${left} bytes loses no messages`, () =>
      Effect.gen(function*() {
        const first = yield* start()
        yield* first.run(Effect.gen(function*() {
          yield* join("orders", "c", 0)
          yield* send("orders", "a", "b")
        })).pipe(Effect.scoped)
        yield* first.stop
        const second = yield* start()
        yield* second.run(Effect.gen(function*() {
          const orders = yield* join("orders", "c", 2)
          yield* receive(orders, "a", "b")
          yield* send("orders", "c", "d")
          // The whole state is recorded in a file of its own.
          yield* orders.channel.seek(3)
        })).pipe(Effect.scoped)
        yield* second.stop
        const states = yield* filesOf("state")
        assert.strictEqual(states.length, 2)
        yield* cut(states[1]!, left)
        const third = yield* start()
        yield* third.run(Effect.gen(function*() {
          // What the lost file has recorded as finished is delivered again.
          yield* receive(yield* join("orders", "c", 100), "a", "b", "c", "d")
          assert.match(third.log(), /\.state has no valid checkpoint/)
          yield* TestClock.adjust("100 millis")
        })).pipe(Effect.scoped)
        yield* third.kill
        const fourth = yield* start()
        yield* fourth.run(Effect.gen(function*() {
          const orders = yield* join("orders", "c", 100)
          yield* send("orders", "e")
          yield* receive(orders, "e")
        })).pipe(Effect.scoped)
        yield* fourth.stop
      }).pipe(Effect.provide(layer)))
  }

  it.effect("without any valid checkpoint the channels of nsqd.dat get all messages of the log", () =>
    Effect.gen(function*() {
      const first = yield* start()
      yield* first.run(Effect.gen(function*() {
        yield* join("orders", "c", 0)
        yield* send("orders", "a", "b")
      })).pipe(Effect.scoped)
      yield* first.stop
      for (const path of yield* filesOf("state")) yield* cut(path, 10)
      const second = yield* start()
      yield* second.run(Effect.gen(function*() {
        yield* receive(yield* join("orders", "c", 100), "a", "b")
        yield* TestClock.adjust("100 millis")
      })).pipe(Effect.scoped)
      yield* second.kill
      const third = yield* start()
      yield* third.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 100)
        yield* send("orders", "c")
        yield* receive(orders, "c")
      })).pipe(Effect.scoped)
      yield* third.stop
    }).pipe(Effect.provide(layer)))
})

describe("a durable topic whose directory is removed while the daemon runs", () => {
  it.effect("the directory of a log is created again, and later messages survive a kill", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      yield* TestClock.setTime(1_000_000)
      const first = yield* start()
      yield* first.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 0)
        yield* join("other", "c", 0)
        yield* send("orders", "before")
        yield* disk.rename(ordersDirectory, "/trash")
        yield* TestClock.adjust("2 seconds")
        yield* send("orders", "after")
        yield* send("other", "o")
        assert.match(
          first.log(),
          /Error LOG\(orders\): the files in \/data\/log\/orders were removed, starting new ones/
        )
        orders.subscription.setReady(1)
        yield* receive(orders, "before")
        yield* TestClock.adjust("1 second")
        assert.isUndefined(yield* first.health)
      })).pipe(Effect.scoped)
      yield* first.kill
      const second = yield* start()
      yield* second.run(Effect.gen(function*() {
        yield* receive(yield* join("orders", "c", 100), "after")
        yield* receive(yield* join("other", "c", 100), "o")
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  it.effect("without the data directory publishes fail until it is back, and consumers get what is in memory", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      yield* TestClock.setTime(1_000_000)
      const broker = yield* start()
      yield* broker.run(Effect.gen(function*() {
        const orders = yield* join("orders", "c", 0)
        yield* send("orders", "before")
        yield* disk.rename("/data", "/gone")
        yield* TestClock.adjust("2 seconds")
        assert.match((yield* Effect.flip(send("orders", "refused"))).message, /no such file or directory/)
        assert.match((yield* broker.health) ?? "", /\/data\/.*: no such file or directory/)
        orders.subscription.setReady(100)
        yield* receive(orders, "before")
        yield* TestClock.adjust("5 seconds")
        yield* disk.rename("/gone", "/data")
        yield* healthy(broker)
        yield* send("orders", "after")
        yield* receive(orders, "after")
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))
})
