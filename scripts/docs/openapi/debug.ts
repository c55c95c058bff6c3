/** The endpoints for profiles, which nsqd and nsqlookupd have in common. */
import { type Content, type Endpoint, query, text } from "./Endpoint.ts"

const tag = "Profiles"

const profile = (description: string): Content => ({
  type: "application/json",
  description,
  schema: { type: "object" },
  isValid: () => true
})

const seconds = query("seconds", "duration of the profile, at most 300", 10, {
  schema: { type: "integer", minimum: 1, maximum: 300, default: 30 }
})

const get = (name: string, summary: string, response: Content, parameters: Endpoint["parameters"] = []): Endpoint => ({
  method: "GET",
  path: `/debug/pprof/${name}`,
  tag,
  summary,
  parameters,
  response
})

const symbols = text("always without symbols", "num_symbols: 0\n")

/** The endpoints, with the page that lists them at `index`. */
export const profiles = (index: "/debug/pprof/" | "/debug/pprof"): ReadonlyArray<Endpoint> => [
  {
    method: "GET",
    path: index,
    tag,
    summary: "Page with links to all profiles",
    response: text("HTML", "<html>...</html>", "text/html")
  },
  get("cmdline", "Command line, with masked secrets", text("arguments, separated by NUL", "node\u0000nsqd")),
  get("profile", "CPU profile", profile("a `.cpuprofile` of Chrome's developer tools"), [seconds]),
  get(
    "heap",
    "Heap statistics",
    text("a line for each figure", "heap statistics in bytes:\n18000000\tused_heap_size\n"),
    [
      query("seconds", "with it, a sampled allocation profile (`.heapprofile`) over this time", 10, {
        schema: { type: "integer", minimum: 1, maximum: 300 }
      })
    ]
  ),
  get(
    "goroutine",
    "Active resources of Node, by type",
    text("a line for each type", "active resources:\n3\tTCPSocketWrap\n")
  ),
  get("block", "Utilization of the event loop", text("three figures", "event loop since start:\n812\tms active\n")),
  get("threadcreate", "Threads of the process", text("a line for each kind", "threads:\n1\tmain\n")),
  get("symbol", "Symbols, for Go's pprof", symbols),
  { method: "POST", path: "/debug/pprof/symbol", tag, summary: "Symbols, for Go's pprof", response: symbols }
]
