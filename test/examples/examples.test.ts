import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, FileSystem, Layer } from "effect"
import { Nsqd } from "effect-nsq"
import { NodeClient } from "effect-nsq/client"
import * as Client from "../../examples/client.ts"
import * as DurableQueue from "../../examples/durableQueue.ts"
import * as Embedded from "../../examples/embedded.ts"

describe("the examples of the documentation", () => {
  it.effect("the example of an embedded broker delivers every published message to its stream", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Embedded.program, ["tea", "coffee", "cake"])
    }))

  it.live("the example of the client library sends a typed value through a daemon to its handler", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const dataPath = yield* files.makeTempDirectoryScoped()
      const daemon = yield* Layer.build(
        Nsqd.layerWith({ tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0", dataPath })
      )
      const { tcpPort } = Context.get(daemon, Nsqd)
      assert.strictEqual(yield* Client.program({ nsqd: [`127.0.0.1:${tcpPort}`] }), "tea")
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeFileSystem.layer, NodeClient.layer))))

  it.live("the example daemon starts inside a program and releases its data directory at the end", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const dataPath = yield* files.makeTempDirectoryScoped()
      const daemon = Nsqd.layerWith({ tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0", dataPath })
      yield* Effect.scoped(Layer.build(daemon))
      assert.isTrue(yield* files.exists(`${dataPath}/nsqd.dat`))
      yield* Effect.scoped(Layer.build(daemon))
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))

  it.live("the example of a durable queue resumes its workflow with the result of a worker", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const dataPath = yield* files.makeTempDirectoryScoped()
      assert.strictEqual(yield* DurableQueue.program(dataPath), "sent to ada@example.org")
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
})
