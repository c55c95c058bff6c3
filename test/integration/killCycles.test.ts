import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { buildNsqd } from "./ledger/build.ts"
import { runCycles } from "./ledger/cycles.ts"
import type { Kind } from "./ledger/kinds.ts"
import { policyFaults, runPolicyCycles } from "./ledger/policyCycles.ts"
import { faults } from "./ledger/Summary.ts"

const timeout = 480_000

const nsqd = Effect.acquireRelease(Effect.promise(buildNsqd), ({ remove }) => Effect.sync(remove))

/**
 * Least time in milliseconds, above the flush window, after which a finished message must not be redelivered. Beside the other tests
 * the daemon may not run for a while; `npm run crash` on a quiet machine shows the window itself.
 */
const noise = 1000

/** Kills the daemon under load. A failure states its seed; `killCycles.ts` repeats the load with it. */
const run = Effect.fnUntraced(function*(kind: Kind, cycles: number) {
  const { command } = yield* nsqd
  const seed = Math.floor(Math.random() * 2 ** 31)
  const summary = yield* Effect.promise(() => runCycles({ command, cycles, seed, kind, backlog: 0, noise }))
  const told = JSON.stringify(summary, undefined, 2)
  assert.isAbove(summary.finished, 1000, told)
  // The number of messages that are finished but not yet recorded at the moment of a kill depends on the machine and its load: 300
  // cycles (see `killCycles.ts`) show under 1 %, but ten of them up to 9 % on a machine with eight times as much work as
  // processors. The limit is above that, and far below the number of redeliveries if finished messages were not recorded.
  assert.deepStrictEqual(faults(summary, { duplicatesPercent: 15 }), [], told)
})

describe("a daemon that is killed repeatedly under load", () => {
  it.live(
    "repeated kills lose no acknowledged message and redeliver almost none, if every message is synced",
    () => Effect.scoped(run({ durability: "memory", variant: "sync-1" }, 12)),
    timeout
  )

  it.live(
    "repeated kills lose no acknowledged message and redeliver almost none, if files are small and syncs rare",
    () => Effect.scoped(run({ durability: "memory", variant: "small-files-2500" }, 8)),
    timeout
  )

  for (const durability of ["written", "synced"] as const) {
    it.live(
      `repeated kills lose, invent, repeat and hasten no message of ${durability} topics`,
      () => Effect.scoped(run({ durability }, 15)),
      timeout
    )
  }

  it.live(
    "repeated kills lose no message that becomes a dead letter, store none twice for one key, and all dead letters are redriven",
    () =>
      Effect.gen(function*() {
        const { command } = yield* nsqd
        const seed = Math.floor(Math.random() * 2 ** 31)
        const summary = yield* Effect.promise(() =>
          runPolicyCycles({ command, cycles: 10, seed, durability: "written" })
        )
        const told = JSON.stringify(summary, undefined, 2)
        assert.isAbove(summary.published, 1000, told)
        assert.isAbove(summary.redriven, 50, told)
        assert.isAbove(summary.repeated, 10, told)
        assert.deepStrictEqual(policyFaults(summary), [], told)
      }).pipe(Effect.scoped),
    timeout
  )
})
