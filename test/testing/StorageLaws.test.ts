import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Disk } from "../../src/services/nsqd/disk/Disk.ts"
import type { BackendQueue } from "../../src/services/nsqd/storage/BackendQueue.ts"
import * as DiskStorage from "../../src/services/nsqd/storage/DiskStorage.ts"
import { Storage } from "../../src/services/nsqd/storage/Storage.ts"
import { FaultyDisk, StorageLaws } from "../../src/testing/index.ts"

/** The Storage on disk, in a process of its own for each time that it is built. */
const onDisk = DiskStorage.layer.pipe(
  Layer.provide(Layer.effect(Disk, FaultyDisk.useSync(({ process }) => process())))
)

const laws = {
  "on disk": StorageLaws.make({
    storage: onDisk,
    isPersistent: true,
    hasLogs: true,
    kill: FaultyDisk.useSync(({ kill }) => kill())
  }),
  "in memory": StorageLaws.make({ storage: Storage.layerMemory, isPersistent: false, hasLogs: false })
}

for (const [kind, list] of Object.entries(laws)) {
  describe(`Storage ${kind}`, () => {
    for (const { check, name } of list) {
      it.effect(name, () => Effect.provide(check, Layer.fresh(FaultyDisk.layer)))
    }
  })
}

/** The Storage in memory with a queue that is changed. */
const changed = (change: (queue: BackendQueue) => Partial<BackendQueue>) =>
  Layer.effect(
    Storage,
    Effect.map(Storage, (storage) => ({
      ...storage,
      openQueue: (name: string) =>
        Effect.map(storage.openQueue(name), (queue): BackendQueue => ({
          name: queue.name,
          get depth() {
            return queue.depth
          },
          get hasMore() {
            return queue.hasMore
          },
          append: queue.append,
          read: queue.read,
          recent: queue.recent,
          sync: queue.sync,
          empty: queue.empty,
          delete: queue.delete,
          ...change(queue)
        }))
    }))
  ).pipe(Layer.provide(Storage.layerMemory))

const violations = (storage: Layer.Layer<Storage>) =>
  Effect.forEach(
    StorageLaws.make({ storage, isPersistent: false, hasLogs: false }),
    ({ check, name }) =>
      Effect.match(check, { onSuccess: () => [], onFailure: ({ message }) => [`${name}: ${message}`] })
  ).pipe(Effect.map((found) => found.flat()))

describe("the laws of Storage", () => {
  it.effect("a Storage that loses a message violates a law, which states the messages", () =>
    Effect.gen(function*() {
      const found = yield* violations(changed(({ append }) => ({ append: (runs) => append(runs.slice(1)) })))
      assert.include(found.join("\n"), "expected [ 100, true ], found [ 1, true ]")
    }))

  it.effect("a Storage that returns settled messages violates a law", () =>
    Effect.gen(function*() {
      const found = yield* violations(changed(({ read }) => ({
        read: (maxBytes) => Effect.map(read(maxBytes), (run) => run && { ...run, ledger: { settle: () => {} } })
      })))
      assert.isAbove(found.length, 0)
      assert.isTrue(found.every((text) => text.includes("settled") || text.includes("return")), found.join("\n"))
    }))

  it.effect("a Storage whose view does not show what waits violates a law", () =>
    Effect.gen(function*() {
      const found = yield* violations(changed(({ view }) => ({ view })))
      assert.lengthOf(found.filter((text) => text.includes("everything is shown in order")), 1)
    }))

  it.effect("a Storage whose operations die is reported with the cause", () =>
    Effect.gen(function*() {
      const found = yield* violations(changed(() => ({ append: () => Effect.die(new Error("no table")) })))
      assert.include(found.join("\n"), "cannot be checked: Error: no table")
    }))
})
