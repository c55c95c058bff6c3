import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { type NsqdMetadata, topicsByName } from "../../../../src/protocol/storage/NsqdMetadata.ts"
import { unlimited } from "../../../../src/services/core/Turns.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { MetadataFile } from "../../../../src/services/nsqd/storage/MetadataFile.ts"
import { StorageHealth } from "../../../../src/services/nsqd/storage/StorageHealth.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { layer, range } from "./queues.ts"

const open = Effect.map(Disk, (disk) => new MetadataFile(disk, "/data", unlimited, new StorageHealth()))

const listing = (names: Iterable<string>): NsqdMetadata => ({
  topics: Array.from(names, (name) => ({ name, paused: false, channels: null })),
  version: "1.3.0"
})

/** The topics after a kill. */
const afterKill = Effect.map(Effect.flatMap(open, (file) => file.load), (metadata) => topicsByName(metadata))
const namesAfterKill = Effect.map(afterKill, (topics) => Array.from(topics.keys()).sort())

describe("nsqd.dat and its journal", () => {
  it.effect("creations are known before nsqd.dat is written again", () =>
    Effect.gen(function*() {
      const file = yield* open
      assert.isUndefined(yield* file.load)
      yield* file.save(() => listing(["a"]))
      const before = (yield* FaultyDisk).files().get("/data/nsqd.dat")
      yield* file.create("b", Effect.void)
      yield* file.create("a:c", Effect.void)
      yield* file.create("d:e", Effect.void)
      assert.deepStrictEqual((yield* FaultyDisk).files().get("/data/nsqd.dat"), before)
      assert.deepStrictEqual(
        yield* afterKill,
        new Map([
          ["a", { paused: false, channels: new Map([["c", false]]) }],
          ["b", { paused: false, channels: new Map() }],
          ["d", { paused: false, channels: new Map([["e", false]]) }]
        ])
      )
    }).pipe(Effect.provide(layer)))

  it.effect("a saved deletion is not undone by the journal", () =>
    Effect.gen(function*() {
      const file = yield* open
      yield* file.save(() => listing([]))
      yield* file.create("a", Effect.void)
      yield* file.create("b", Effect.void)
      yield* file.save(() => listing(["b"]))
      assert.deepStrictEqual(yield* namesAfterKill, ["b"])
    }).pipe(Effect.provide(layer)))

  it.effect("a creation that is recorded and not registered while nsqd.dat is written is kept", () =>
    Effect.gen(function*() {
      const file = yield* open
      yield* file.save(() => listing([]))
      yield* file.create("a", file.save(() => listing(["z"])))
      assert.deepStrictEqual(yield* namesAfterKill, ["a", "z"])
      yield* file.save(() => listing(["a", "z"]))
      yield* file.save(() => listing(["z"]))
      assert.deepStrictEqual(yield* namesAfterKill, ["z"])
    }).pipe(Effect.provide(layer)))

  it.effect("nsqd.dat takes precedence if NSQ's nsqd or an operator has written it since", () =>
    Effect.gen(function*() {
      const file = yield* open
      yield* file.save(() => listing(["a"]))
      yield* file.create("b", Effect.void)
      ;(yield* FaultyDisk).put("/data/nsqd.dat", `{"topics":[{"name":"c"}]}`)
      assert.deepStrictEqual(yield* namesAfterKill, ["c"])
    }).pipe(Effect.provide(layer)))

  it.effect("a new journal is started before the old one grows without limit", () =>
    Effect.gen(function*() {
      const file = yield* open
      const disk = yield* FaultyDisk
      let most = 0
      for (let round = 0; round < 60; round++) {
        for (const i of range(0, 100)) yield* file.create(`${"t".repeat(50)}${i}`, Effect.void)
        yield* file.save(() => listing(["t"]))
        most = Math.max(most, disk.files().get("/data/nsqd.journal.dat")?.length ?? 0)
      }
      assert.isBelow(most, 100_000)
      yield* file.create("a", Effect.void)
      assert.deepStrictEqual(yield* namesAfterKill, ["a", "t"])
    }).pipe(Effect.provide(layer)))

  it.effect("metadata writes fail with the disk's error, report it to health, and recover", () =>
    Effect.gen(function*() {
      const health = new StorageHealth()
      const file = new MetadataFile(yield* Disk, "/data", unlimited, health)
      const disk = yield* FaultyDisk
      disk.fail((operation) => operation === "rename" ? "EIO" : undefined)
      const { reason } = yield* Effect.flip(file.save(() => listing([])))
      assert.deepInclude(reason, { _tag: "DiskFailure", code: "EIO" })
      assert.strictEqual(health.summary, "rename /data/nsqd.dat: input/output error")
      disk.fail((operation) => operation === "write" ? "ENOSPC" : undefined)
      let registered = false
      const error = yield* Effect.flip(file.create("a", Effect.sync(() => void (registered = true))))
      assert.strictEqual(error.message, "write /data/nsqd.journal.dat: no space left on device")
      assert.isFalse(registered)
      assert.strictEqual(health.summary, "rename /data/nsqd.dat: input/output error (and 1 more)")
      disk.fail(undefined)
      yield* file.save(() => listing([]))
      assert.isUndefined(health.summary)
    }).pipe(Effect.provide(layer)))

  const Step = Schema.TaggedUnion({
    Create: {},
    Delete: {},
    Save: {},
    /** Saves while another creation is recorded and not registered. */
    SaveWithin: {},
    Fail: { operation: Schema.Literals(["open", "write", "rename", "truncate", "fsync"]) },
    Heal: {},
    Kill: {}
  })

  it.effect.prop(
    "nsqd.dat and its journal contain every successful change after any kill",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.gen(function*() {
        const disk = yield* FaultyDisk
        let file = yield* open
        let next = 0
        let topics = new Set<string>()
        /** Topics that may or may not exist: their creation failed, or their deletion was not saved. */
        let unsure = new Set<string>()
        let restarted = false
        const save = Effect.gen(function*() {
          const exit = yield* Effect.exit(file.save(() => listing(topics)))
          if (Exit.isSuccess(exit)) unsure = new Set()
        })
        const create = Effect.fnUntraced(function*(within: Effect.Effect<void>) {
          const name = `t${next++}`
          const exit = yield* Effect.exit(
            file.create(name, Effect.andThen(within, Effect.sync(() => void topics.add(name))))
          )
          if (Exit.isFailure(exit)) unsure.add(name)
        })
        for (const { _tag, ...step } of [...steps, { _tag: "Kill" } as const]) {
          // As the broker does before it allows creations.
          if (!restarted) {
            disk.fail(undefined)
            yield* save
            restarted = true
          }
          if (_tag === "Create") yield* create(Effect.void)
          else if (_tag === "SaveWithin") yield* create(save)
          else if (_tag === "Save") yield* save
          else if (_tag === "Heal") disk.fail(undefined)
          else if (_tag === "Fail") {
            disk.fail((operation) => "operation" in step && operation === step.operation ? "EIO" : undefined)
          } else if (_tag === "Delete") {
            const [name] = topics
            if (name === undefined) continue
            topics.delete(name)
            unsure.add(name)
            yield* save
          } else {
            disk.fail(undefined)
            file = yield* open
            const found = new Set(topicsByName(yield* file.load).keys())
            for (const name of topics) assert.isTrue(found.has(name), `${name} is missing`)
            for (const name of found) assert.isTrue(topics.has(name) || unsure.has(name), `${name} is back`)
            topics = found
            unsure = new Set()
            restarted = false
          }
        }
      }).pipe(Effect.provide(layer)),
    { arbitrary: { runs: 500 } }
  )
})
