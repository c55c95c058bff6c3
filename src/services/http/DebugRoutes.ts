/**
 * `/debug/*` (docs/protocol/http.md#debug): Node's counterpart of Go's profiles. Paths and methods are NSQ's, contents are not:
 * profiles have the formats of Chrome's developer tools, and the counterparts of Go's goroutines, threads and blocking are Node's
 * resources, thread pool and event loop. The routes cost nothing until they are requested, and never show messages.
 */
import { Duration, Effect } from "effect"
import type { ServerResponse } from "node:http"
import { performance } from "node:perf_hooks"
import process from "node:process"
import * as V8 from "node:v8"
import * as Vm from "node:vm"
import { maskedArguments } from "../core/Masked.ts"
import * as HttpResponse from "./HttpResponse.ts"
import * as Profiler from "./Profiler.ts"
import type { RequestTarget } from "./RequestTarget.ts"
import { type Handler, type HttpRequest, type Route, route } from "./Router.ts"

const defaultSeconds = 30
const maxSeconds = 300

const profiles = [
  ["block", "utilization of the event loop"],
  ["cmdline", "the command line"],
  ["goroutine", "active resources of Node, by type"],
  ["heap", "heap statistics; with ?seconds=N a sampled allocation profile (.heapprofile)"],
  ["profile", "CPU profile over ?seconds=N, 30 by default (.cpuprofile)"],
  ["symbol", "for Go's pprof; no symbols"],
  ["threadcreate", "threads of the process"]
] as const

/** `base` is the prefix of links from the page to the profiles. */
const indexPage = (base: string): string =>
  `<html>
<head>
<title>/debug/pprof/</title>
</head>
<body>
<p>/debug/pprof/</p>
<table>
${profiles.map(([name, about]) => `<tr><td><a href="${base}${name}">${name}</a></td><td>${about}</td></tr>`).join("\n")}
</table>
</body>
</html>
`

const table = (rows: ReadonlyArray<readonly [string, string | number]>): string =>
  rows.map(([name, value]) => `${value}\t${name}\n`).join("")

const goroutines = (): string => {
  const kinds = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  return `active resources:\n${table(Array.from(kinds).toSorted(([, a], [, b]) => b - a))}`
}

const heap = (): string => {
  const spaces = V8.getHeapSpaceStatistics().map(({ space_name, space_used_size }) =>
    [`${space_name} used`, space_used_size] as const
  )
  return `heap statistics in bytes:\n${table([...Object.entries(V8.getHeapStatistics()), ...spaces])}` +
    `process memory in bytes:\n${table(Object.entries(process.memoryUsage()))}`
}

const block = (): string => {
  const { active, idle, utilization } = performance.eventLoopUtilization()
  return `event loop since start:\n${
    table([["ms active", Math.round(active)], ["ms idle", Math.round(idle)], ["utilization", utilization.toFixed(4)]])
  }`
}

const threads = (): string =>
  `threads:\n${table([["main", 1], ["pool (UV_THREADPOOL_SIZE)", process.env["UV_THREADPOOL_SIZE"] ?? 4]])}`

const text = (body: () => string): Handler => () => Effect.sync(() => HttpResponse.plain(200, body()))

const integer = /^[+-]?\d+$/

/** The duration of a profile; the default if it is not valid. */
const secondsOf = ({ query }: RequestTarget): number => {
  const seconds = Number.parseInt(query?.get("seconds") ?? "", 10)
  return seconds > 0 ? Math.min(seconds, maxSeconds) : defaultSeconds
}

/** Interrupts when the client disconnects, so that its profile does not continue. */
const gone = (outgoing: ServerResponse): Effect.Effect<never> =>
  Effect.callback((resume) => {
    outgoing.once("close", () => resume(Effect.interrupt))
  })

const profileWith = (
  profile: (duration: Duration.Duration) => Effect.Effect<string, Profiler.ProfilerBusy>,
  name: string
): Handler =>
({ outgoing, target }) =>
  Effect.raceFirst(profile(Duration.seconds(secondsOf(target))), gone(outgoing)).pipe(
    Effect.map((body) => HttpResponse.file("application/json", name, body)),
    Effect.catchTag("ProfilerBusy", () =>
      Effect.succeed(HttpResponse.plain(500, "Could not enable CPU profiling: cpu profiling already in use\n")))
  )

/** Node has no such rate: the parameter is only checked. */
const setBlockRate = ({ target }: HttpRequest) =>
  Effect.sync(() => {
    const rate = target.query?.get("rate") ?? ""
    return integer.test(rate)
      ? HttpResponse.plain(200, "OK")
      : HttpResponse.plain(400, `invalid block rate : strconv.Atoi: parsing ${JSON.stringify(rate)}: invalid syntax`)
  })

/** V8 exposes its garbage collector only with a flag, which can be set at any time. */
const freeMemory = Effect.sync(() => {
  V8.setFlagsFromString("--expose-gc")
  const collect: unknown = Vm.runInNewContext("gc")
  if (typeof collect === "function") collect()
  return HttpResponse.plain(200, "OK")
})

/** Whether the path, in lower case, is that of a profile, which costs time and memory. */
export const isProfile = (path: string): boolean => path.startsWith("/debug/pprof/") && path !== "/debug/pprof/"

/** Returns the routes of the profiles, and of the page that lists them: at `indexPath`, to which the other form redirects. */
export const makeProfiles = Effect.fnUntraced(function*(indexPath: "/debug/pprof/" | "/debug/pprof") {
  const profiler = yield* Profiler.make
  const cpu = profileWith(profiler.cpu, "profile.cpuprofile")
  const allocations = profileWith(profiler.allocations, "heap.heapprofile")
  const unlogged = (path: string, handle: Handler, method: Route["method"] = "GET"): Route =>
    route(method, path, handle, false)
  const pprof = (name: string, handle: Handler, method?: Route["method"]): Route =>
    unlogged(`/debug/pprof/${name}`, handle, method)
  const index = HttpResponse.html(200, indexPage(indexPath === "/debug/pprof" ? "pprof/" : ""))
  const heapText = text(heap)
  const symbol = text(() => "num_symbols: 0\n")
  return [
    unlogged(indexPath, () => Effect.succeed(index)),
    pprof("block", text(block)),
    pprof("cmdline", text(() => maskedArguments(process.argv).join("\0"))),
    pprof("goroutine", text(goroutines)),
    pprof(
      "heap",
      (request) => request.target.query?.has("seconds") === true ? allocations(request) : heapText(request)
    ),
    pprof("profile", cpu),
    pprof("symbol", symbol),
    pprof("symbol", symbol, "POST"),
    pprof("threadcreate", text(threads))
  ]
})

/** Returns all debug routes of nsqd. */
export const make: Effect.Effect<ReadonlyArray<Route>> = Effect.map(makeProfiles("/debug/pprof/"), (profiles) => [
  ...profiles,
  route("PUT", "/debug/setblockrate", setBlockRate),
  route("POST", "/debug/freememory", () => freeMemory)
])
