import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, FileSystem, Layer, References, Schedule } from "effect"
import { FetchHttpClient } from "effect/http"
import { join } from "node:path"
import { Discovery } from "../../../src/services/client/index.ts"
import { Broker } from "../../../src/services/nsqd/broker/Broker.ts"
import { Storage } from "../../../src/services/nsqd/storage/Storage.ts"
import { Standalone } from "../../../src/services/standalone/Standalone.ts"
import * as StandaloneOptions from "../../../src/services/standalone/StandaloneOptions.ts"

const anyPort = "127.0.0.1:0"

describe("nsqlookupd, nsqd and nsqadmin in one process", () => {
  it.live("the three daemons of one process find each other", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const dataPath = yield* files.makeTempDirectoryScoped()
      const standalone = yield* Layer.build(Standalone.layer({
        nsqd: { dataPath, tcpAddress: anyPort, httpAddress: anyPort },
        nsqlookupd: { tcpAddress: anyPort, httpAddress: anyPort },
        nsqadmin: { httpAddress: anyPort }
      }))
      const { addresses } = Context.get(standalone, Standalone)
      yield* Effect.promise(() =>
        fetch(`http://127.0.0.1:${addresses.nsqdHttpPort}/pub?topic=test`, { method: "POST", body: "hello" })
      )
      const found = yield* Discovery.lookup(`127.0.0.1:${addresses.lookupdHttpPort}`, "test").pipe(
        Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (servers) => servers.length > 0 })
      )
      assert.deepStrictEqual(found, [`127.0.0.1:${addresses.nsqdTcpPort}`])
      const topics = yield* Effect.promise(async () => {
        const response = await fetch(`http://127.0.0.1:${addresses.adminHttpPort}/api/topics`)
        return response.json()
      })
      assert.deepStrictEqual(topics, { topics: ["test"], message: "" })
      assert.strictEqual(Context.get(standalone, Broker).findTopic("test")?.depth, 1)
    }).pipe(
      Effect.scoped,
      Effect.provide([NodeFileSystem.layer, FetchHttpClient.layer]),
      Effect.provideService(References.MinimumLogLevel, "None")
    ))

  it.live("the program's options reach the daemons, and the data directory is created", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const dataPath = join(yield* files.makeTempDirectoryScoped(), "new", "data")
      const options = StandaloneOptions.layer({
        dataPath,
        tcpAddress: anyPort,
        httpAddress: anyPort,
        lookupdTcpAddress: anyPort,
        lookupdHttpAddress: anyPort,
        adminHttpAddress: anyPort
      })
      const built = yield* Layer.build(Standalone.layerOfProgram.pipe(Layer.provide(options)))
      const { nsqdHttpPort } = Context.get(built, Standalone).addresses
      const shown = yield* Effect.promise(async () =>
        (await fetch(`http://127.0.0.1:${nsqdHttpPort}/config/data_path`)).text()
      )
      assert.strictEqual(shown, dataPath)
      assert.include(yield* files.readDirectory(dataPath), "nsqd.dat")
    }).pipe(
      Effect.scoped,
      Effect.provide(NodeFileSystem.layer),
      Effect.provideService(References.MinimumLogLevel, "None")
    ))

  it.live("a data directory that cannot be created ends the start with the reason", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const file = yield* files.makeTempFileScoped()
      const error = yield* Effect.flip(
        Layer.build(
          Standalone.layerOfProgram.pipe(Layer.provide(StandaloneOptions.layer({ dataPath: `${file}/data` })))
        )
      )
      assert.match(error.message, /^cannot create the data directory - ENOTDIR: /)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))

  it("a replacement without effect does not compile", () => {
    const check = () => {
      const standalone = Standalone.layer({ nsqd: {}, nsqlookupd: {}, nsqadmin: {} })
      // @ts-expect-error -- nsqd has its own Storage
      standalone.pipe(Layer.provide(Storage.layerMemory))
    }
    assert.isFunction(check)
  })
})
