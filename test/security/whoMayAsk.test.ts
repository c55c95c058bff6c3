/**
 * The permissions of every HTTP route of every daemon: one cell for each route and each kind of client. A route that is missing in
 * the table fails the test, so a new one must be classified.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import * as Http from "node:http"
import { DaemonState } from "../../src/services/core/DaemonState.ts"
import * as AdminRoutes from "../../src/services/nsqadmin/AdminRoutes.ts"
import * as Endpoints from "../../src/services/nsqadmin/Endpoints.ts"
import { Nsqadmin } from "../../src/services/nsqadmin/Nsqadmin.ts"
import * as NsqdHttp from "../../src/services/nsqd/http/NsqdHttp.ts"
import * as LookupHttp from "../../src/services/nsqlookupd/LookupHttp.ts"
import * as NsqlookupdOptions from "../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import { Registrations } from "../../src/services/nsqlookupd/Registrations.ts"
import { Watches } from "../../src/services/nsqlookupd/Watches.ts"
import { fakeServer } from "../services/http/fakeServer.ts"
import { quiet } from "../services/nsqd/broker/testing.ts"
import * as Api from "../services/nsqd/http/api.ts"

/** The effect of a route, which determines its permissions. */
type Kind =
  /** Returns data. */
  | "read"
  /** Changes state by POST, PUT or DELETE. */
  | "change"
  /** Starts an expensive or visible operation by GET. */
  | "start"
  /** Changes state by GET: the API of NSQ versions before 1.0. */
  | "changeByGet"

/** For nsqadmin, `admin...` requires an administrator in addition. */
type Table = Readonly<Record<string, Kind | "adminChange" | "adminStart">>

const nsqd: Table = {
  "GET /ping": "read",
  "GET /ready": "read",
  "GET /info": "read",
  "GET /stats": "read",
  "GET /metrics": "read",
  "POST /pub": "change",
  "POST /mpub": "change",
  ...Object.fromEntries(
    ["create", "delete", "empty", "pause", "unpause"].flatMap((verb) =>
      ["topic", "channel"].flatMap((noun): ReadonlyArray<readonly [string, Kind]> => [
        [`POST /${noun}/${verb}`, "change"],
        [`POST /${verb}_${noun}`, "change"],
        [`GET /${verb}_${noun}`, "changeByGet"]
      ])
    )
  ),
  "POST /topic/durability": "change",
  "PUT /topic/durability": "change",
  "GET /drain": "read",
  "PUT /drain": "change",
  "DELETE /drain": "change",
  "GET /node": "read",
  "GET /clients": "read",
  "POST /client/close": "change",
  "POST /channel/seek": "change",
  "GET /messages": "start",
  "GET /messages/stream": "start",
  "DELETE /messages": "change",
  "POST /messages/requeue": "change",
  "GET /policies": "read",
  "PUT /policies": "change",
  "DELETE /policies": "change",
  "POST /message/reject": "change",
  "GET /topic/redrive": "read",
  "POST /topic/redrive": "change",
  "DELETE /topic/redrive": "change",
  "GET /sub": "start",
  "POST /sub/finish": "change",
  "POST /sub/requeue": "change",
  "POST /sub/reject": "change",
  "POST /sub/touch": "change",
  "POST /sub/ready": "change",
  "GET /config/:name": "read",
  "PUT /config/:name": "change",
  "GET /debug/pprof/": "read",
  "GET /debug/pprof/cmdline": "start",
  "GET /debug/pprof/symbol": "start",
  "POST /debug/pprof/symbol": "change",
  "GET /debug/pprof/profile": "start",
  "GET /debug/pprof/heap": "start",
  "GET /debug/pprof/goroutine": "start",
  "GET /debug/pprof/block": "start",
  "GET /debug/pprof/threadcreate": "start",
  "PUT /debug/setblockrate": "change",
  "POST /debug/freememory": "change"
}

const nsqlookupd: Table = {
  "GET /ping": "read",
  "GET /info": "read",
  "GET /debug": "read",
  "GET /topics": "read",
  "GET /nodes": "read",
  "GET /channels": "read",
  "GET /lookup": "read",
  "GET /watch": "start",
  "GET /metrics": "read",
  "POST /topic/create": "change",
  "POST /topic/delete": "change",
  "POST /topic/tombstone": "change",
  "POST /channel/create": "change",
  "POST /channel/delete": "change",
  "GET /debug/pprof": "read",
  "GET /debug/pprof/cmdline": "start",
  "GET /debug/pprof/symbol": "start",
  "POST /debug/pprof/symbol": "change",
  "GET /debug/pprof/profile": "start",
  "GET /debug/pprof/heap": "start",
  "GET /debug/pprof/goroutine": "start",
  "GET /debug/pprof/block": "start",
  "GET /debug/pprof/threadcreate": "start"
}

const nsqadmin: Table = {
  ...Object.fromEntries(
    ["/", "/topics", "/topics/:topic", "/topics/:topic/:channel", "/nodes", "/nodes/:node", "/counter", "/lookup"]
      .concat(
        "/nodes/:node/clients/:client",
        "/messages/:topic",
        "/messages/:topic/:channel",
        "/policies",
        "/warnings",
        "/daemons",
        "/ping",
        "/metrics",
        "/static/:asset",
        "/fonts/:asset",
        "/config/:opt",
        "/render"
      )
      .map((path) => [`GET ${path}`, "read" as const])
  ),
  "PUT /config/:opt": "adminChange",
  "GET /api/topics": "read",
  "POST /api/topics": "adminChange",
  "GET /api/topics/:topic": "read",
  "POST /api/topics/:topic": "adminChange",
  "DELETE /api/topics/:topic": "adminChange",
  "GET /api/topics/:topic/:channel": "read",
  "POST /api/topics/:topic/:channel": "adminChange",
  "DELETE /api/topics/:topic/:channel": "adminChange",
  "GET /api/nodes": "read",
  "GET /api/nodes/:node": "read",
  "GET /api/nodes/:node/topics/:topic": "read",
  "DELETE /api/nodes/:node": "adminChange",
  "PUT /api/nodes/:node/drain": "adminChange",
  "DELETE /api/nodes/:node/drain": "adminChange",
  "GET /api/clients": "read",
  "DELETE /api/nodes/:node/clients/:client": "adminChange",
  "GET /api/nodes/:node/messages": "adminStart",
  "DELETE /api/nodes/:node/messages/:sequence": "adminChange",
  "POST /api/nodes/:node/messages/:sequence/requeue": "adminChange",
  "GET /api/nodes/:node/redrive": "read",
  "POST /api/nodes/:node/redrive": "adminChange",
  "DELETE /api/nodes/:node/redrive": "adminChange",
  "GET /api/topics/:topic/:channel/rewind": "read",
  "POST /api/topics/:topic/:channel/rewind": "adminChange",
  "GET /api/policies": "read",
  "GET /api/policies/:topic": "read",
  "PUT /api/policies": "adminChange",
  "DELETE /api/policies": "adminChange",
  "GET /api/counter": "read",
  "GET /api/graphite": "read",
  "GET /api/live": "start",
  "GET /api/history": "read",
  "POST /api/mutes": "adminChange",
  "POST /api/alerts/test": "adminChange",
  "POST /api/messages/:topic": "adminChange",
  "GET /api/messages/:topic": "adminStart"
}

/** Returns the headers of a client's request, given the address of the daemon. */
type Client = (own: string) => Http.OutgoingHttpHeaders

const mozilla = { "user-agent": "Mozilla/5.0" }
const page = (own: string) => ({ ...mozilla, origin: `http://${own}`, referer: `http://${own}/` })
const evil = "evil.example"

const clients = {
  "a program": () => ({ "user-agent": "curl/8.5.0" }),
  "a program for another name": () => ({ "user-agent": "curl/8.5.0", "host": evil }),
  "a fetch of Node": () => ({ "user-agent": "node", "sec-fetch-mode": "cors", "accept-language": "*" }),
  "a page of its own": page,
  "a page of its own, over HTTPS": () => ({ ...mozilla, "sec-fetch-site": "same-origin" }),
  "the address bar": () => ({ ...mozilla, "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }),
  "a link of another site": () => ({
    ...mozilla,
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document"
  }),
  "a script of another site": () => ({ ...mozilla, origin: `http://${evil}` }),
  "an image of another site": () => ({ ...mozilla, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }),
  "an image of an unknown site": () => mozilla,
  "a form of a sibling site": () => ({ ...mozilla, "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate" }),
  "a sandboxed page": () => ({ ...mozilla, origin: "null" }),
  "a page with a rebound name": () => ({ ...page(evil), host: evil }),
  "a page with a rebound name and the User-Agent of a program": () => ({
    "user-agent": "curl/8.5.0",
    "host": evil,
    "accept-language": "en"
  }),
  "a page with a rebound name and the headers of a fetch of Node": () => ({
    "user-agent": "node",
    "host": evil,
    "accept-language": "*"
  }),
  "a page with a rebound name, over HTTPS": () => ({ ...mozilla, "host": evil, "sec-fetch-site": "same-origin" })
} satisfies Record<string, Client>

type ClientName = keyof typeof clients

const own = ["a page of its own", "a page of its own, over HTTPS", "the address bar"] as const
const programs = ["a program", "a program for another name", "a fetch of Node"] as const

/** All others are refused. An image of an unknown site may be on a page of the daemon in an older browser. */
const allowed: Readonly<Record<Kind, ReadonlyArray<ClientName>>> = {
  read: [...programs, ...own, "a link of another site", "a form of a sibling site", "an image of an unknown site"],
  // Every current browser states the site of a POST: a request without it comes from a program with a browser's `User-Agent`.
  change: [...programs, ...own, "an image of an unknown site"],
  start: [...programs, ...own],
  changeByGet: programs
}

/** Clients that nsqadmin refuses because they do not use its name. */
const notForAdmin: ReadonlyArray<ClientName> = ["a program for another name"]

const pathOf = (route: string): string =>
  (route.split(" ")[1] ?? "")
    .replace("/config/:name", "/config/log_level")
    .replace("/config/:opt", "/config/log_level")
    .replace("/nodes/:node", "/nodes/127.0.0.1:1")
    .replace(/:\w+/g, "x") + (route.endsWith("/profile") ? "?seconds=1" : "?topic=x&channel=y&node=n")

/** The status of the response. The rest of the response is not read. */
const statusOf = (port: number, route: string, headers: Http.OutgoingHttpHeaders) =>
  Effect.callback<number>((resume) => {
    const [method = ""] = route.split(" ")
    const request = Http.request(
      { host: "127.0.0.1", port, method, path: pathOf(route), headers, agent: false },
      (response) => {
        resume(Effect.succeed(response.statusCode ?? 0))
        response.on("error", () => {}).destroy()
      }
    )
    request.on("error", (error) => resume(Effect.die(error)))
    request.end()
  })

/** Checks each cell of a table, with additional headers that identify a user. */
const check = Effect.fnUntraced(function*(
  port: number,
  table: Table,
  isAllowed: (client: ClientName, route: string) => boolean,
  user: Http.OutgoingHttpHeaders = {}
) {
  const wrong: Array<string> = []
  for (const route of Object.keys(table)) {
    for (const [name, client] of Object.entries(clients)) {
      const status = yield* statusOf(port, route, { ...client(`127.0.0.1:${port}`), ...user })
      // Any other error status means that the guard accepted the request.
      const isRefused = status === 403
      const clientName = Object.keys(clients).find((key): key is ClientName => key === name)
      if (clientName === undefined || isRefused === isAllowed(clientName, route)) {
        wrong.push(`${route} for ${name}: ${status}`)
      }
    }
  }
  assert.deepStrictEqual(wrong, [])
})

const plainKind = (kind: Table[string] | undefined): Kind =>
  kind === "adminChange" ? "change" : kind === "adminStart" ? "start" : kind ?? "changeByGet"

const byKind = (table: Table) => (client: ClientName, route: string): boolean =>
  allowed[plainKind(table[route])].includes(client)

const namesOf = (routes: ReadonlyArray<{ readonly method: string; readonly path: string }>) =>
  routes.map(({ method, path }) => `${method} ${path}`).toSorted()

const lookupd = Effect.gen(function*() {
  const context = yield* LookupHttp.LookupHttp.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Registrations.layer, DaemonState.layer)),
    Layer.provide(NsqlookupdOptions.layer({ httpAddress: "127.0.0.1:0" })),
    Layer.provide(quiet),
    Layer.build,
    Effect.orDie
  )
  return Context.get(context, LookupHttp.LookupHttp).port
})

/** An nsqadmin with one administrator, alice. */
const admin: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function*() {
  const daemon = yield* fakeServer((_, response) =>
    response.end(`{"version":"1.3.0","health":"OK","topics":[{"topic_name":"x","channels":[]}]}`)
  )
  const context = yield* Nsqadmin.layerWith({
    httpAddress: "127.0.0.1:0",
    nsqdHttpAddresses: [daemon],
    adminUsers: ["alice"],
    graphiteUrl: `http://${daemon}`,
    proxyGraphite: true,
    maxLiveClients: 0,
    maxTails: 0
  }).pipe(Layer.provide(quiet), Layer.build, Effect.orDie)
  return Number(Context.get(context, Nsqadmin).httpAddress.split(":")[1])
})

describe("permissions of nsqd's HTTP routes", { timeout: 480_000 }, () => {
  it.live("the table of nsqd's HTTP permissions has every route", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(namesOf(yield* NsqdHttp.allRoutes), Object.keys(nsqd).toSorted())
    }).pipe(Effect.provide(Api.layer({ httpAddress: "" }))))

  it.live("nsqd permits or refuses each route for each client as in the table", () =>
    Effect.gen(function*() {
      const { port } = yield* Api.serve({ logLevel: "fatal" })
      yield* check(port, nsqd, byKind(nsqd))
    }))
})

describe("permissions of nsqlookupd's HTTP routes", { timeout: 480_000 }, () => {
  it.live("the table of nsqlookupd's HTTP permissions has every route", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(namesOf(yield* LookupHttp.allRoutes), Object.keys(nsqlookupd).toSorted())
    }).pipe(Effect.provide(Watches.layer.pipe(Layer.provideMerge(Registrations.layer)))))

  it.live("nsqlookupd permits or refuses each route for each client as in the table", () =>
    Effect.gen(function*() {
      yield* check(yield* lookupd, nsqlookupd, byKind(nsqlookupd))
    }))
})

describe("permissions of nsqadmin's HTTP routes", { timeout: 480_000 }, () => {
  it("the table of nsqadmin's HTTP permissions has every route", () => {
    const found = [...Endpoints.ofApi(), ...AdminRoutes.endpoints(true)]
    assert.deepStrictEqual(namesOf(found), Object.keys(nsqadmin).toSorted())
  })

  const decided = byKind(nsqadmin)
  const isOpen = (client: ClientName, route: string) => decided(client, route) && !notForAdmin.includes(client)
  const needsAdmin = (route: string) => nsqadmin[route] === "adminChange" || nsqadmin[route] === "adminStart"

  it.live("nsqadmin permits or refuses each route for an administrator's clients as in the table", () =>
    Effect.gen(function*() {
      yield* check(yield* admin, nsqadmin, isOpen, { "x-forwarded-user": "alice" })
    }))

  it.live("nsqadmin refuses administrators' routes to other users and to requests without a user", () =>
    Effect.gen(function*() {
      const port = yield* admin
      for (const user of [{}, { "x-forwarded-user": "mallory" }]) {
        yield* check(port, nsqadmin, (client, route) => isOpen(client, route) && !needsAdmin(route), user)
      }
    }))
})
