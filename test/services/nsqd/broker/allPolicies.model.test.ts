/**
 * All policies together, over a disk that crashes: at every idle moment each accepted message is in one place of each channel, and the
 * counts of `/stats` are those of the places; keys are stored once, dead letters have their origin, and nothing is delivered after its
 * time-to-live.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, References } from "effect"
import { TestClock } from "effect/testing"
import type { Policy } from "../../../../src/broker.ts"
import { FaultyDisk, untilIdle, WallClock } from "../../../../src/testing/index.ts"
import { Chance } from "../log/LogModel.ts"
import { layer as emptyDisk, start } from "./durable.ts"
import { Books } from "./PolicyBooks.ts"
import { begin, type PermittedIn } from "./policyLife.ts"

const livesPerHistory = 5
const stepsPerLife = 30
/** The log records within this time, in ms. */
const recordingMillis = 60

/** Messages stay in the logs until they were observed. */
const retained: ReadonlyArray<Policy> = ["t", "t.dlq"].map((match) => ({ match, retention_age: "24h" }))

/** A random policy. */
const policyOf = (chance: Chance, dedupWindow: string): Policy => {
  const ttl = chance.pick([undefined, undefined, "2s", "15s"])
  const on_full = chance.pick(["reject", "drop_oldest", "dead_letter"] as const)
  const on_expired = chance.pick(["drop", "dead_letter"] as const)
  const common = {
    ...(ttl === undefined ? {} : { ttl }),
    ...(chance.happens(20) ? { max_age: "4s" } : {}),
    max_depth: chance.pick([0, 0, 4, 12]),
    ...(chance.happens(20) ? { max_bytes: chance.pick([6, 20]) } : {}),
    on_full,
    on_expired
  }
  switch (chance.below(4)) {
    case 0:
      return {
        match: "t",
        ...common,
        ...(chance.happens(75) ? { dedup_window: dedupWindow } : {}),
        ...(chance.happens(15) ? { publish_rate: chance.pick([2, 10]) } : {})
      }
    case 1:
      return { match: "t/a", ...common, max_attempts: chance.below(3), count_disconnects: chance.happens(50) }
    case 2:
      return { match: "t/?", max_attempts: chance.below(4), max_depth: 0 }
    default:
      // A dead-letter topic that takes nothing more makes its dead letters wait.
      return {
        match: "t.dlq",
        max_depth: chance.pick([0, 0, 3, 8]),
        on_full: chance.pick(["reject", "drop_oldest"]),
        ...(chance.happens(15) ? { publish_rate: 2 } : {})
      }
  }
}

/** A history with crashes and restarts. Returns how many steps it had. */
const history = Effect.fnUntraced(function*(seed: number, durability: "written" | "synced", losesPower: boolean) {
  const chance = new Chance(seed)
  const disk = yield* FaultyDisk
  yield* TestClock.setTime(1_800_000_000_000)
  const [dedupMillis, dedupWindow] = chance.pick([[2000, "2s"], [30_000, "30s"]] as const)
  const books = new Books(dedupMillis)
  let permitted: PermittedIn | undefined
  let stepsDone = 0

  const live = (isLast: boolean) =>
    Effect.gen(function*() {
      const life = yield* begin(books, chance)
      const { policies } = life
      permitted ??= life.permitted()
      yield* untilIdle
      if (disk.isCrashed()) return
      yield* life.compare(permitted, true)
      books.settlePublishes()

      const changePolicy = Effect.suspend((): Effect.Effect<unknown, unknown> => {
        const [some] = chance.some(policies.list().filter(({ source }) => source === "api"), 100)
        return some !== undefined && chance.happens(25)
          ? policies.remove(some.match)
          : policies.put(policyOf(chance, dedupWindow))
      })

      const advance = Effect.gen(function*() {
        const millis = chance.pick([1, 20, recordingMillis, 500, 3000, 10_000])
        yield* TestClock.adjust(millis)
        yield* untilIdle
        if (disk.isCrashed() || millis < recordingMillis) return
        for (const model of books.models) model.noteRecorded()
      })

      const step = Effect.suspend(
        (): Effect.Effect<unknown, unknown, Effect.Services<typeof life.send> | Effect.Services<typeof untilIdle>> => {
          const choice = chance.below(100)
          const name = chance.pick(["a", "b", "r"])
          if (choice < 30) return life.send
          if (choice < 60) return Effect.sync(() => life.acknowledge(name))
          if (choice < 75) return advance
          if (choice < 83) return changePolicy
          if (choice < 89) return life.subscriptions.has(name) ? life.disconnect(name) : life.connect(name)
          if (choice < 91) return life.redriveAll
          if (choice < 94) return life.rewind(chance.pick(["a", "b"]))
          if (choice < 95) return life.recreate(chance.pick(["a", "b"]))
          if (choice < 96) return life.setClockBack(chance.pick([10, 700, 2500]))
          if (choice < 97 && !losesPower) return life.changeDurability
          return life.single(chance.pick(["a", "b"]))
        }
      )

      for (const name of ["a", "b", "r"]) if (chance.happens(80)) yield* life.connect(name)
      yield* untilIdle
      if (disk.isCrashed()) return
      yield* life.compare(permitted)
      for (let i = 0; i < stepsPerLife && !disk.isCrashed(); i++) {
        permitted = life.permitted()
        const done = yield* Effect.exit(step)
        yield* untilIdle
        if (disk.isCrashed()) return
        yield* done
        yield* life.compare(permitted)
        stepsDone++
      }
      if (disk.isCrashed()) return
      permitted = life.permitted()
      for (const name of ["a", "b", "r"]) yield* life.disconnect(name)
      yield* untilIdle
      if (disk.isCrashed()) return
      yield* life.compare(permitted)
      if (isLast) yield* drain(life)
      permitted = life.permitted()
    })

  /** What was observed as waiting is delivered. */
  const drain = Effect.fnUntraced(function*(life: Effect.Success<ReturnType<typeof begin>>) {
    for (const { match, source } of life.policies.list()) if (source === "api") yield* life.policies.remove(match)
    for (const name of ["a", "b"]) yield* life.connect(name)
    for (let i = 0; i < 100; i++) {
      yield* untilIdle
      yield* life.compare(life.permitted())
      if (life.unfinished() === 0) break
      for (const name of ["a", "b"]) {
        life.finishAll(name)
        life.subscriptions.get(name)?.subscription.setReady(1000)
      }
      yield* TestClock.adjust("500 millis")
    }
    assert.strictEqual(life.unfinished(), 0)
    for (const name of ["a", "b"]) yield* life.disconnect(name)
  })

  for (let lives = 1; lives <= livesPerHistory; lives++) {
    const isLast = lives === livesPerHistory
    const broker = yield* start({
      durability,
      segmentSize: chance.pick([4096, 64 * 1024 * 1024]),
      policies: retained
    })
    if (!isLast && chance.happens(80)) {
      disk.crashAt(1 + chance.below(chance.pick([30, 100, 300])), chance.below(1_000_000))
    }
    const lived = yield* Effect.exit(broker.run(live(isLast)))
    if (Exit.isFailure(lived) && !disk.isCrashed()) yield* lived
    const isKilled = disk.isCrashed() || chance.happens(50)
    if (isKilled && !disk.isCrashed()) disk.crashAt(0)
    yield* broker.stop
    if (!isKilled && !disk.isCrashed()) {
      disk.crashAt(Infinity)
      for (const model of books.models) model.restart()
      continue
    }
    if (losesPower) disk.losePower(chance.below(1_000_000))
    else disk.kill()
    for (const model of books.models) model.crash()
  }
  return stepsDone
})

const layer = emptyDisk.pipe(
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None")),
  Layer.provideMerge(WallClock.layer)
)

const histories = 12
/** POLICY_SEED=n repeats the history of a seed, POLICY_HISTORIES=n runs more of them. */
const { POLICY_HISTORIES: wanted = histories, POLICY_SEED: repeated } = process.env
const seeds = repeated === undefined ? Array.from({ length: Number(wanted) }, (_, seed) => seed) : [Number(repeated)]

describe("topics with all policies", () => {
  for (const durability of ["written", "synced"] as const) {
    it.effect(
      `each message of a ${durability} topic is in one place, over ${
        durability === "synced" ? "losses of power" : "kills"
      } as well`,
      () =>
        Effect.gen(function*() {
          let steps = 0
          for (const seed of seeds) {
            steps += yield* history(seed, durability, durability === "synced").pipe(
              Effect.provide(layer, { local: true }),
              Effect.catchCause((cause) =>
                Effect.die(new Error(`POLICY_SEED=${seed} repeats this: ${Cause.pretty(cause)}`))
              )
            )
          }
          if (seeds.length === histories) assert.isAtLeast(steps, 30 * histories)
        }),
      Number(wanted) * 10_000
    )
  }
})
