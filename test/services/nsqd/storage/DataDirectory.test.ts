import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import * as DataDirectory from "../../../../src/services/nsqd/storage/DataDirectory.ts"

const directory = Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped())

describe("the lock on the data directory", () => {
  it.live("the lock of the data directory has one holder at a time and is released when its Scope closes", () =>
    Effect.gen(function*() {
      const path = yield* directory
      yield* Effect.scoped(Effect.gen(function*() {
        yield* DataDirectory.lock(path)
        const error = yield* Effect.flip(Effect.scoped(DataDirectory.lock(path)))
        assert.strictEqual(
          error.message,
          `failed to lock data-path: cannot flock directory ${path} - resource temporarily unavailable ` +
            "(possibly in use by another instance of nsqd)"
        )
      }))
      yield* Effect.scoped(DataDirectory.lock(path))
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))

  it.live("locking a missing data directory fails", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(DataDirectory.lock("/no/such/directory")))
      assert.match(
        error.message,
        /^failed to lock data-path: open \/no\/such\/directory: no such file or directory; create the directory, or choose another --data-path$/
      )
    }))
})
