import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { Mutes } from "../../../src/services/nsqadmin/Mutes.ts"
import * as Options from "../../../src/services/nsqadmin/NsqadminOptions.ts"

/** Each use is another nsqadmin. */
const layer = (historyDir: string, log: Array<string> = []) =>
  Mutes.layer.pipe(
    Layer.provide(Options.layer({ historyDir })),
    Layer.provideMerge(Logger.layer([Logger.make(({ message }) => void log.push(String(message)))])),
    Layer.fresh
  )

const subject = { kind: "paused_topic", topic: "orders", channel: "", node: "" } as const
const other = { kind: "stuck_channel", topic: "orders", channel: "billing", node: "" } as const

const mute = (minutes: number, what: typeof subject | typeof other = subject) =>
  Mutes.use(({ mute }) => mute({ ...what, minutes }))

/** The ends of the mutes of both warnings. */
const ends = Mutes.useSync(({ apply }) =>
  apply([subject, other].map((one) => ({ ...one, text: "", detail: "", since: 0 }))).map((one) => one.muted_until)
)

const directory = Effect.provide(
  FileSystem.FileSystem.use((files) => files.makeTempDirectoryScoped()),
  NodeServices.layer
)

const fileOf = (historyDir: string) => `${historyDir}/mutes.json`

describe("Mutes", () => {
  it.effect("a mute in a directory survives a restart, and ends when its time is over", () =>
    Effect.gen(function*() {
      // The directory is created with the first mute.
      const historyDir = `${yield* directory}/new`
      yield* Effect.provide(Effect.andThen(mute(60), mute(1, other)), layer(historyDir))
      assert.deepStrictEqual(yield* Effect.provide(ends, layer(historyDir)), [3_600_000, 60_000])
      yield* TestClock.adjust("1 minute")
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* ends, [3_600_000, null])
        yield* mute(0)
        assert.deepStrictEqual(yield* ends, [null, null])
      }).pipe(Effect.provide(layer(historyDir)))
      assert.deepStrictEqual(yield* Effect.provide(ends, layer(historyDir)), [null, null])
    }))

  it.effect("without a directory a mute is lost at a restart", () =>
    Effect.gen(function*() {
      const muted = yield* Effect.provide(Effect.andThen(mute(60), ends), layer(""))
      assert.deepStrictEqual(muted, [3_600_000, null])
      assert.deepStrictEqual(yield* Effect.provide(ends, layer("")), [null, null])
    }))

  it.effect("a damaged file is logged, and replaced by the next mute", () =>
    Effect.gen(function*() {
      const historyDir = yield* directory
      const files = yield* FileSystem.FileSystem
      const log: Array<string> = []
      yield* files.writeFileString(fileOf(historyDir), `[{"kind":"paused_topic"`)
      yield* Effect.provide(
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* ends, [null, null])
          yield* mute(60)
        }),
        layer(historyDir, log)
      )
      assert.deepStrictEqual(log, [`cannot read ${fileOf(historyDir)}: warnings that were muted are shown again`])
      assert.deepStrictEqual(yield* Effect.provide(ends, layer(historyDir)), [3_600_000, null])
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("a directory that cannot be written does not refuse a mute", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const historyDir = `${yield* directory}/file`
      const log: Array<string> = []
      yield* files.writeFileString(historyDir, "")
      const muted = yield* Effect.provide(Effect.andThen(mute(60), ends), layer(historyDir, log))
      assert.deepStrictEqual(muted, [3_600_000, null])
      assert.include(log.at(-1), `cannot write ${fileOf(historyDir)}`)
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("an invalid time is refused and changes nothing", () =>
    Effect.gen(function*() {
      yield* mute(60)
      assert.strictEqual((yield* Effect.flip(mute(-1))).message, "INVALID_MINUTES")
      assert.deepStrictEqual(yield* ends, [3_600_000, null])
    }).pipe(Effect.provide(layer(""))))
})
