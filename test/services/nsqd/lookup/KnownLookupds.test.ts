import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, FileSystem, Layer, Logger } from "effect"
import { Nsqd } from "../../../../src/services/nsqd/Nsqd.ts"
import { Nsqlookupd } from "../../../../src/services/nsqlookupd/Nsqlookupd.ts"

const anyPort = "127.0.0.1:0"

/** Creates a topic on an nsqd whose nsqlookupd announces 127.0.0.2, and returns the log lines. */
const logsWith = Effect.fnUntraced(function*(allowedDaemonNetworks: ReadonlyArray<string>) {
  const lines: Array<string> = []
  const logs = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
  yield* Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const dataPath = yield* files.makeTempDirectoryScoped()
    const lookupd = Context.get(
      yield* Layer.build(
        Nsqlookupd.layerWith({ tcpAddress: anyPort, httpAddress: anyPort, broadcastAddress: "127.0.0.2" })
      ),
      Nsqlookupd
    )
    const options = { tcpAddress: anyPort, httpAddress: anyPort, dataPath, allowedDaemonNetworks }
    const nsqd = yield* Layer.build(Nsqd.layerWith({ ...options, lookupdTcpAddresses: [lookupd.tcpAddress] }))
    const { httpPort } = Context.get(nsqd, Nsqd)
    yield* Effect.promise(() => fetch(`http://127.0.0.1:${httpPort}/topic/create?topic=orders`, { method: "POST" }))
  }).pipe(Effect.scoped, Effect.provide([logs, NodeFileSystem.layer]))
  return lines
})

describe("KnownLookupds", () => {
  it.live("nsqd queries the address that an nsqlookupd announces only within --allowed-daemon-networks", () =>
    Effect.gen(function*() {
      const refused = (lines: ReadonlyArray<string>) =>
        lines.filter((line) => line.startsWith("127.0.0.2") && line.includes("(--allowed-daemon-networks), querying "))
      assert.strictEqual(refused(yield* logsWith(["203.0.113.0/24"])).length, 1)
      assert.deepStrictEqual(refused(yield* logsWith(["127.0.0.0/8"])), [])
    }))
})
