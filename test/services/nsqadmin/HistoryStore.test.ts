import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { TestClock } from "effect/testing"
import { History } from "../../../src/services/nsqadmin/History.ts"
import { HistoryStore } from "../../../src/services/nsqadmin/HistoryStore.ts"
import * as Options from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import { type FakeCluster, fakeCluster, passSamples, samplerLayer } from "./cluster.ts"

const historyLayer = (state: FakeCluster, historyDir: string) =>
  History.layer.pipe(
    Layer.provideMerge(HistoryStore.layer),
    Layer.provideMerge(samplerLayer(state)),
    Layer.provide(Options.layer({ historyDir, historyRetention: "7 days" }))
  )

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** Runs an nsqadmin's history in that directory, and stops it. */
const run = <A, E, R>(state: FakeCluster, directory: string, effect: Effect.Effect<A, E, R>) =>
  Effect.provide(effect, Layer.fresh(historyLayer(state, directory)))

const range = (span: number, more: { readonly channel?: string; readonly before?: number } = {}) =>
  History.use((history) => history.range({ topic: "t", channel: "", span, before: 0, ...more }))

const known = (values: ReadonlyArray<number | null>) => values.filter((value) => value !== null)

const directory = FileSystem.FileSystem.use((files) => files.makeTempDirectoryScoped())

const inDirectory = <A, E, R>(body: (directory: string, files: FileSystem.FileSystem) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    return yield* body(yield* directory, yield* FileSystem.FileSystem)
  }).pipe(Effect.provide(NodeServices.layer))

describe("HistoryStore", () => {
  it.effect("a restart loses nothing: the past hour is there again, with a gap for the time without nsqadmin", () =>
    inDirectory((directory) => {
      const t = { depth: 7, message_count: 0, channels: { c: { depth: 5 } } }
      const state = fakeCluster({ a: { topics: { t } } })
      return Effect.gen(function*() {
        yield* TestClock.adjust(10 * day)
        yield* run(state, directory, passSamples(60))
        yield* TestClock.adjust(3 * minute)
        t.depth = 9
        yield* run(
          state,
          directory,
          Effect.gen(function*() {
            yield* passSamples(1)
            const { series: [topic], times } = yield* History.use((history) => history.read(["t"], false))
            assert.deepStrictEqual(known(topic?.backlog ?? []), [12, 12, 12, 12, 12, 12, 14])
            assert.strictEqual(times.length, topic?.backlog.length)
            assert.strictEqual(topic?.backlog.at(-2), null)
            const { series: [channel] } = yield* range(hour, { channel: "c" })
            assert.deepStrictEqual(known(channel?.backlog ?? []), [5, 5, 5, 5, 5, 5, 5])
          })
        )
      })
    }))

  it.effect("no minute from the disk is before points in memory of the same minute", () =>
    inDirectory((directory) => {
      const t = { depth: 0, message_count: 0 }
      const state = fakeCluster({ a: { topics: { t } } })
      return Effect.gen(function*() {
        yield* TestClock.adjust(10 * day + minute / 2)
        yield* run(
          state,
          directory,
          Effect.gen(function*() {
            for (let i = 0; i < 24; i++) {
              t.depth += 10
              yield* passSamples(1)
            }
            const { series: [topic], times } = yield* History.use((history) => history.read(["t"], false))
            const backlog = known(topic?.backlog ?? [])
            assert.deepStrictEqual(backlog, backlog.toSorted((a, b) => a - b))
            assert.deepStrictEqual(times, times.toSorted((a, b) => a - b))
          })
        )
      })
    }))

  it.effect("yesterday has a point for each minute, and last week one for each 10 minutes", () =>
    inDirectory((directory) => {
      const t = { depth: 1, message_count: 0 }
      const state = fakeCluster({ a: { topics: { t } } })
      return Effect.gen(function*() {
        yield* TestClock.adjust(20 * day)
        yield* run(state, directory, passSamples(24))
        yield* TestClock.adjust(day)
        t.depth = 3
        yield* run(
          state,
          directory,
          Effect.gen(function*() {
            yield* passSamples(1)
            const yesterday = yield* range(hour, { before: day })
            assert.deepStrictEqual(known(yesterday.series[0]?.backlog ?? []), [1, 1, 1])
            assert.strictEqual((yesterday.times[1] ?? 0) - (yesterday.times[0] ?? 0), minute)
          })
        )
        yield* TestClock.adjust(4 * day)
        yield* run(
          state,
          directory,
          Effect.gen(function*() {
            yield* passSamples(1)
            const { series, times } = yield* range(7 * day)
            assert.deepStrictEqual(known(series[0]?.backlog ?? []), [1, 3, 3])
            assert.strictEqual((times[1] ?? 0) - (times[0] ?? 0), 10 * minute)
          })
        )
      })
    }))

  it.effect("points and files that are older than the retention are removed", () =>
    inDirectory((directory, files) => {
      const state = fakeCluster({ a: { topics: { t: { depth: 1 } } } })
      const extensionsOf = (date: string) =>
        Effect.map(files.readDirectory(directory), (names) =>
          names.filter((name) => name.startsWith(date)).map((name) => name.slice(date.length)).sort())
      return Effect.gen(function*() {
        yield* run(state, directory, passSamples(1))
        yield* files.writeFileString(`${directory}/notes.txt`, "of the operator")
        assert.deepStrictEqual(yield* extensionsOf("1970-01-01"), [".10m", ".1m", ".names"])
        yield* TestClock.adjust(3 * day)
        yield* run(state, directory, passSamples(1))
        assert.deepStrictEqual(yield* extensionsOf("1970-01-01"), [".10m", ".names"])
        yield* TestClock.adjust(5 * day)
        yield* run(state, directory, passSamples(1))
        assert.deepStrictEqual(yield* extensionsOf("1970-01-01"), [])
        assert.isTrue(yield* files.exists(`${directory}/notes.txt`))
      })
    }))

  it.effect("damaged files are set aside, and the history continues", () =>
    inDirectory((directory, files) => {
      const t = { depth: 1 }
      const state = fakeCluster({ a: { topics: { t } } })
      return Effect.gen(function*() {
        yield* run(state, directory, passSamples(1))
        yield* files.writeFileString(`${directory}/1970-01-01.names`, "\0\0garbage")
        t.depth = 2
        yield* TestClock.adjust("2 minutes")
        yield* run(state, directory, passSamples(1))
        t.depth = 3
        yield* TestClock.adjust("2 minutes")
        const { series } = yield* run(state, directory, Effect.andThen(passSamples(1), range(hour)))
        assert.deepStrictEqual(known(series[0]?.backlog ?? []), [2, 3])
        assert.isTrue(yield* files.exists(`${directory}/1970-01-01.1m.damaged`))
      })
    }))

  it.effect("the incomplete last name that a killed nsqadmin leaves costs no other series", () =>
    inDirectory((directory, files) => {
      const state = fakeCluster({ a: { topics: { t: { depth: 1 } } } })
      return Effect.gen(function*() {
        yield* run(state, directory, passSamples(1))
        yield* files.writeFileString(`${directory}/1970-01-01.names`, "orde", { flag: "a" })
        yield* TestClock.adjust("2 minutes")
        const { series } = yield* run(state, directory, Effect.andThen(passSamples(1), range(hour)))
        assert.deepStrictEqual(known(series[0]?.backlog ?? []), [1, 1])
      })
    }))

  it.effect("a directory that cannot be written leaves the past hour in memory", () =>
    inDirectory((directory, files) => {
      const state = fakeCluster({ a: { topics: { t: { depth: 1 } } } })
      return Effect.gen(function*() {
        yield* files.writeFileString(`${directory}/file`, "")
        const { series } = yield* run(
          state,
          `${directory}/file`,
          Effect.andThen(passSamples(24), History.use((history) => history.read(["t"], false)))
        )
        assert.deepStrictEqual(known(series[0]?.backlog ?? []), [1, 1, 1, 1, 1, 1, 1])
      })
    }))
})
