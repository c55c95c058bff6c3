import { assert, describe, it } from "@effect/vitest"
import { type Cause, Effect, Fiber, Option, Queue, Schedule, Terminal } from "effect"
import { NsqdApi } from "../../../src/services/admin/index.ts"
import { view } from "../../../src/services/cli/top.ts"
import { NodeClient } from "../../../src/services/client/index.ts"
import { Nsqd } from "../../../src/services/nsqd/Nsqd.ts"
import { daemon, failureOf, run, runAlone } from "./cli.ts"

/** A terminal of 80 columns and 24 rows, with keys from a queue. */
const makeTerminal = Effect.gen(function*() {
  const keys = yield* Queue.make<Terminal.UserInput, Cause.Done>()
  const sizes = yield* Queue.make<Terminal.Size, Cause.Done>()
  let shown = ""
  const terminal = Terminal.make({
    columns: Effect.succeed(80),
    rows: Effect.succeed(24),
    size: Effect.succeed(sizes),
    readInput: Effect.succeed(keys),
    readLine: Effect.never,
    display: (text) =>
      Effect.sync(() => {
        shown += text
      })
  })
  const until = (pattern: RegExp) =>
    Effect.repeat(Effect.sync(() => pattern.test(shown)), {
      until: (found) => found,
      schedule: Schedule.spaced("10 millis")
    })
  const press = (name: string) =>
    Queue.offer(keys, { input: Option.none(), key: { name, ctrl: false, meta: false, shift: false } })
  return { terminal, until, press, shown: () => shown, end: Queue.end(keys) }
})

const nsqds = Effect.gen(function*() {
  const { httpPort } = yield* Nsqd
  return [yield* NsqdApi.make(`127.0.0.1:${httpPort}`)]
})

describe("nsq top", () => {
  it.live("keys open the channels of a topic, and q restores the terminal", () =>
    Effect.gen(function*() {
      yield* run(["pub", "orders", "tea"])
      yield* run(["channel", "create", "orders", "kitchen"])
      const { press, shown, terminal, until } = yield* makeTerminal
      const showing = yield* Effect.forkChild(
        Effect.scoped(view(yield* nsqds, 60_000)).pipe(Effect.provideService(Terminal.Terminal, terminal))
      )
      yield* until(/orders .* 1 +0 +0 +1 +0/)
      yield* press("enter")
      yield* until(/topics > orders[^]*kitchen .* 1 /)
      yield* press("q")
      yield* Fiber.join(showing)
      assert.isTrue(shown().startsWith("\u001b[?1049h\u001b[?25l"))
      assert.isTrue(shown().endsWith("\u001b[?25h\u001b[?1049l"))
    }).pipe(Effect.provide([daemon, NodeClient.layer])))

  it.live("the end of the input ends the view", () =>
    Effect.gen(function*() {
      const { end, shown, terminal } = yield* makeTerminal
      yield* end
      yield* Effect.scoped(view([], 60_000)).pipe(Effect.provideService(Terminal.Terminal, terminal))
      assert.isTrue(shown().endsWith("\u001b[?1049l"))
    }))

  it.live("without a terminal it prints the figures, with --json one object for each request", () =>
    Effect.gen(function*() {
      yield* run(["pub", "orders", "tea"])
      const { out } = yield* run(["top", "--count", "1"])
      assert.match(out, /^\S+Z {2}1 nsqd {2}1 topic {2}backlog 1 {2}0 in\/s\nTOPIC .*\norders /)
      const json = yield* run(["top", "--count", "2", "--interval", "100ms", "--json"])
      const samples = json.out.split("\n").map((line) => JSON.parse(line))
      assert.deepStrictEqual(samples.map(({ nsqds, topics }) => [nsqds, topics[0].topic]), [[1, "orders"], [
        1,
        "orders"
      ]])
    }).pipe(Effect.provide(daemon)))

  it.live("invalid flags and clusters that do not respond have their exit codes", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(failureOf(yield* run(["top", "--interval", "1ms"])), [
        2,
        "--interval must be at least 100ms"
      ])
      assert.deepStrictEqual(failureOf(yield* run(["top", "--count", "0"])), [2, "--count must be at least 1"])
      assert.strictEqual(failureOf(yield* runAlone(["top", "-n", "1", "--nsqd-http-address=127.0.0.1:1"]))?.[0], 1)
    }).pipe(Effect.provide(daemon)))
})
