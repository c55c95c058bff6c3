import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as PolicyFile from "../../../../src/services/nsqd/storage/PolicyFile.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"

/** Loads a file with this text. */
const load = (text: string) =>
  Effect.gen(function*() {
    const disk = yield* Disk
    yield* disk.makeDirectory("/data")
    const file = PolicyFile.make(disk, "/data")
    yield* disk.writeText(file.path, text)
    return yield* file.load
  })

const failure = (text: string) => Effect.map(Effect.flip(load(text)), ({ message }) => message)

describe("PolicyFile", () => {
  it.effect("what was saved is loaded, and no file means no policies", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      yield* disk.makeDirectory("/data")
      const file = PolicyFile.make(disk, "/data")
      assert.deepStrictEqual(yield* file.load, [])
      const policies = [{ match: "orders.*/billing", max_attempts: 5 }, {
        match: "a",
        ttl: "1h",
        on_full: "reject"
      }] as const
      yield* file.save(policies)
      assert.deepStrictEqual(yield* file.load, policies)
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a file that is damaged, or has a policy that is not valid, is refused with the reason", () =>
    Effect.gen(function*() {
      assert.include(yield* failure("{"), "failed to parse the policies in /data/nsqd.policies.dat - ")
      assert.include(
        yield* failure(JSON.stringify({ policies: [{ match: "a", max_depth: -5 }] })),
        "nsqd.policies.dat - max_depth: must be a whole number"
      )
      assert.include(
        yield* failure(JSON.stringify({ policies: [{ match: "a b", ttl: "1s" }] })),
        "match: must be a pattern"
      )
      assert.include(
        yield* failure(JSON.stringify({ policies: [{ match: "a", limit: 5 }] })),
        "limit: unknown field; the fields are"
      )
    }).pipe(Effect.provide(FaultyDisk.layer)))
})
