/**
 * A broker with durable topics on a disk that can fail, for tests that restart it: a stop is orderly, a kill leaves everything
 * that was written.
 */
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as Options from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { Storage } from "../../../../src/services/nsqd/storage/Storage.ts"
import { FaultyDisk, Idle, TestBroker } from "../../../../src/testing/index.ts"

/** Starts a broker on the disk of the environment. */
export const start = Effect.fnUntraced(function*(changed: Partial<Options.NsqdOptions> = {}) {
  const options = { durability: "synced", dataPath: "/data", minFreeBytes: 0, ...changed } as const
  const disk = Layer.succeed(Disk, yield* Disk)
  const idle = Layer.succeed(Idle, yield* Idle)
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel} ${String(message)}`)
  })
  const scope = yield* Scope.make()
  const storage = DiskStorage.layer.pipe(Layer.provide(Options.layer(options)), Layer.provide(disk))
  const layer = Layer.fresh(TestBroker.layerNoStorage(options)).pipe(
    Layer.provideMerge(storage),
    Layer.provide(Logger.layer([logger])),
    Layer.provide(idle)
  )
  const context = yield* Scope.provide(Layer.build(layer), scope)
  const stop = Effect.gen(function*() {
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    while (closing.pollUnsafe() === undefined) yield* TestClock.adjust("100 millis")
  })
  return {
    /** Runs an Effect with the broker's services. */
    run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, context),
    /** The log so far. */
    log: () => lines.join("\n"),
    /** The reason that `/ping` and `/ready` report. */
    health: Effect.flatMap(Storage, ({ health }) => health).pipe(Effect.provideContext(context)),
    /** Closes the broker in order. */
    stop,
    /** Ends the broker without letting it write anything more. */
    kill: Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.crashAt(0)
      yield* stop
      faulty.kill()
    })
  }
})

/** An empty disk. */
export const layer = FaultyDisk.layer.pipe(Layer.provideMerge(Idle.layer))
