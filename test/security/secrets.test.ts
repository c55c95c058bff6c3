/** The places where credentials of configured addresses could be read, and their masked form there. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { LogOutput } from "../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../src/services/logging/NsqLogger.ts"
import { Nsqadmin } from "../../src/services/nsqadmin/Nsqadmin.ts"
import { fakeServer } from "../services/http/fakeServer.ts"
import { requestTo, serve } from "../services/nsqd/http/api.ts"

const basic = `Basic ${Buffer.from("alice:hunter2").toString("base64")}`

describe("the credentials of configured addresses", () => {
  it.live("credentials of configured addresses are masked in nsqd's /config and command line", () =>
    Effect.gen(function*() {
      const { argv } = process
      process.argv = [...argv, "--auth-http-address=http://alice:hunter2@auth/", "--header", "x: hunter2"]
      yield* Effect.addFinalizer(() => Effect.sync(() => void (process.argv = argv)))
      const { request } = yield* serve({
        authHttpAddresses: ["http://alice:hunter2@auth:1/auth?token=hunter2", "alice:hunter2@auth:2"],
        otlpEndpoint: "https://hunter2@collector"
      })
      const shown = (key: string) => Effect.map(request("GET", `/config/${key}`), ({ text }) => text)
      assert.strictEqual(
        yield* shown("auth_http_addresses"),
        `["http://alice:***@auth:1/auth?token=***","alice:***@auth:2"]`
      )
      assert.strictEqual(yield* shown("otlp_endpoint"), "https://***@collector")
      const { text } = yield* request("GET", "/debug/pprof/cmdline")
      assert.include(text, "--auth-http-address=http://alice:***@auth/\0--header\0x: ***")
    }))

  it.live("credentials of configured addresses are masked in nsqadmin's output, and sent to their own servers", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const authorized: Array<string | undefined> = []
      const daemon = yield* fakeServer((_, response) => response.writeHead(500).end("hunter2"))
      const graphite = yield* fakeServer(({ headers }, response) => {
        authorized.push(headers.authorization)
        response.writeHead(500).end("hunter2")
      })
      const url = (address: string) => `http://alice:hunter2@${address}`
      const start = (proxyGraphite: boolean) =>
        Nsqadmin.layerWith({
          httpAddress: "127.0.0.1:0",
          lookupdHttpAddresses: [daemon],
          graphiteUrl: url(graphite),
          proxyGraphite,
          notificationHttpEndpoint: `${url(daemon)}/?secret=hunter2`
        }).pipe(
          Layer.provide(NsqLogger.layer({ level: "debug", prefix: "", format: "nsq" })),
          Layer.provide(Layer.succeed(LogOutput, { write: (line) => void log.push(line) })),
          Layer.build,
          Effect.map((context) => Number(Context.get(context, Nsqadmin).httpAddress.split(":")[1]))
        )
      const address = { host: "127.0.0.1", port: yield* start(true) }
      const ask = (method: string, path: string, body?: string) => requestTo(address, method, path, body)
      yield* ask("PUT", "/config/nsqlookupd_http_addresses", JSON.stringify([`alice:hunter2@${daemon}`]))
      const seen = yield* Effect.forEach(
        [
          "/",
          "/api/topics",
          "/api/nodes",
          "/api/topics/t",
          "/api/history",
          "/api/graphite?metric=rate&target=t",
          "/render?target=t",
          "/config/nsqlookupd_http_addresses",
          "/config/graphite_url",
          "/config/notification_http_endpoint"
        ],
        (path) => Effect.map(ask("GET", path), ({ text }) => `${path} ${text}`)
      )
      yield* ask("POST", "/api/topics", JSON.stringify({ topic: "t" }))
      const direct = yield* requestTo({ host: "127.0.0.1", port: yield* start(false) }, "GET", "/")
      for (const text of [...seen, direct.text, ...log]) assert.notInclude(text, "hunter2")
      assert.isTrue(seen[0]?.includes(`alice:***@${daemon}`) && direct.text.includes(`http://${graphite}/`))
      assert.include(seen[7], `["alice:***@${daemon}"]`)
      assert.include(seen[8], `http://alice:***@${graphite}`)
      assert.isTrue(authorized.includes(basic))
    }))
})
