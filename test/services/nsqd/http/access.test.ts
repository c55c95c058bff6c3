import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Http from "node:http"
import * as Https from "node:https"
import type { ConnectionOptions } from "node:tls"
import { AuthError } from "../../../../src/services/nsqd/auth/AuthError.ts"
import { Authorizer } from "../../../../src/services/nsqd/auth/Authorizer.ts"
import { allRoutes } from "../../../../src/services/nsqd/http/NsqdHttp.ts"
import * as Certificates from "../../net/certificates.ts"
import { serve as serveSecurely } from "../session/secureClient.ts"
import * as Api from "./api.ts"

/** All endpoints that any client can reach over HTTP. No others may exist. */
const endpoints = [
  "GET /ping",
  "GET /ready",
  "GET /info",
  "GET /stats",
  "GET /metrics",
  "POST /pub",
  "POST /mpub",
  ...["create", "delete", "empty", "pause", "unpause"].flatMap((verb) =>
    ["topic", "channel"].flatMap((noun) => [
      `POST /${noun}/${verb}`,
      `GET /${verb}_${noun}`,
      `POST /${verb}_${noun}`
    ])
  ),
  "POST /topic/durability",
  "PUT /topic/durability",
  "GET /sub",
  ...["finish", "requeue", "reject", "touch", "ready"].map((verb) => `POST /sub/${verb}`),
  "GET /drain",
  "PUT /drain",
  "DELETE /drain",
  "GET /node",
  "GET /clients",
  "POST /client/close",
  "GET /policies",
  "PUT /policies",
  "DELETE /policies",
  "POST /message/reject",
  "GET /topic/redrive",
  "POST /topic/redrive",
  "DELETE /topic/redrive",
  "GET /messages",
  "GET /messages/stream",
  "DELETE /messages",
  "POST /messages/requeue",
  "POST /channel/seek",
  "GET /config/:name",
  "PUT /config/:name",
  "GET /debug/pprof/",
  "GET /debug/pprof/cmdline",
  "GET /debug/pprof/symbol",
  "POST /debug/pprof/symbol",
  "GET /debug/pprof/profile",
  "GET /debug/pprof/heap",
  "GET /debug/pprof/goroutine",
  "GET /debug/pprof/block",
  "GET /debug/pprof/threadcreate",
  "PUT /debug/setblockrate",
  "POST /debug/freememory"
]

interface Endpoint {
  readonly method: string
  readonly path: string
}

const split = (endpoint: string): Endpoint => {
  const [method = "", path = ""] = endpoint.split(" ")
  return { method, path: path.replace(":name", "log_level") }
}

/** The status of a request; `undefined` if the server refuses the connection. */
const status = (port: number, { method, path }: Endpoint, tls?: ConnectionOptions) =>
  Effect.callback<number | undefined>((resume) => {
    const options = { host: "127.0.0.1", port, method, path, agent: false, rejectUnauthorized: false, ...tls }
    const request = (tls === undefined ? Http : Https).request(options, (response) => {
      response.resume().on("end", () => resume(Effect.succeed(response.statusCode)))
    })
    request.on("error", () => resume(Effect.undefined))
    request.end()
  })

/** The distinct statuses. */
const statuses = (port: number, endpoints: ReadonlyArray<Endpoint>, tls?: ConnectionOptions) =>
  Effect.map(
    Effect.forEach(endpoints, (endpoint) => status(port, endpoint, tls)),
    (all) => Array.from(new Set(all))
  )

/** OPTIONS shows that a path is served without executing it. */
const asOptions = ({ path }: Endpoint): Endpoint => ({ method: "OPTIONS", path })

describe("the HTTP API", () => {
  it.live("the HTTP API has exactly the listed endpoints", () =>
    Effect.gen(function*() {
      const routes = yield* allRoutes
      const found = routes.map(({ method, path }) => `${method} ${path}`)
      assert.deepStrictEqual(found.toSorted(), endpoints.toSorted())
    }).pipe(Effect.provide(Api.layer({ httpAddress: "" }))))

  it.live("the HTTP API does not require AUTH, which as in NSQ protects TCP only", () =>
    Effect.gen(function*() {
      const { port } = yield* Api.serve()
      assert.deepStrictEqual(yield* statuses(port, endpoints.map(split).map(asOptions)), [200])
      assert.strictEqual(yield* status(port, { method: "POST", path: "/topic/create?topic=t" }), 200)
    }).pipe(Effect.provideService(Authorizer, { query: () => Effect.fail(AuthError.refusal("nobody")) })))

  it.live("plain HTTP is refused on every endpoint if TLS is required", () =>
    Effect.gen(function*() {
      const files = yield* Certificates.files
      const { httpPort } = yield* serveSecurely({ ...files.options, tlsRequired: true })
      const everything = endpoints.map(split).concat({ method: "GET", path: "/nope" })
      assert.deepStrictEqual(yield* statuses(httpPort, everything), [403])
    }))

  it.live("every endpoint is refused to clients without a trusted certificate if one is required", () =>
    Effect.gen(function*() {
      const files = yield* Certificates.files
      const policy = { tlsClientAuthPolicy: "require-verify", tlsRootCaFile: files.caFile }
      const { httpPort, httpsPort } = yield* serveSecurely({ ...files.options, ...policy })
      const all = endpoints.map(split)
      assert.deepStrictEqual(yield* statuses(httpPort, all), [403])
      assert.deepStrictEqual(yield* statuses(httpsPort, all, {}), [undefined])
      assert.deepStrictEqual(yield* statuses(httpsPort, all, yield* Certificates.issue("stranger")), [undefined])
      const trusted = yield* Certificates.issue("known", files.ca)
      assert.deepStrictEqual(yield* statuses(httpsPort, all.map(asOptions), trusted), [200])
    }))
})
