/**
 * The state of a cluster, as `nsq doctor` finds it: each daemon is queried once, and the checks read the results. A daemon that
 * fails is part of the result.
 */
import { Clock, Effect, Result, type Schema } from "effect"
import type { HttpClient } from "effect/http"
import * as AdminRequests from "../../admin/AdminRequests.ts"
import { type Info, type Node, NsqdApi, type NsqlookupdApi, type Stats } from "../../admin/index.ts"
import { HostResolver } from "../../net/DaemonNetworks.ts"
import { joinAddress, Transport } from "../../net/Transport.ts"
import { table } from "../../nsqd/options/NsqdTable.ts"

/** The clock of a daemon, compared with the clock of this machine. */
export interface ClockReading {
  /** Positive if the daemon's clock is ahead. */
  readonly offsetMillis: number
  /** From the resolution of the Date header, a second, and the duration of the request. */
  readonly uncertaintyMillis: number
}

/** An nsqlookupd. */
export interface ObservedLookupd {
  readonly address: string
  /** The registered nsqds, or the reason why there is no response. */
  readonly nodes: Result.Result<ReadonlyArray<Node>, string>
  readonly version: string
  readonly clock: ClockReading | undefined
}

/** An nsqd. */
export interface ObservedNsqd {
  /** `host:port` of its HTTP API. */
  readonly address: string
  /** Its registration; `undefined` if it was given by its address. */
  readonly node: Node | undefined
  /** The nsqlookupds that have it. */
  readonly registeredAt: ReadonlyArray<string>
  /** The reason why its host name has no IP address; `undefined` if it has one. */
  readonly unresolved: string | undefined
  /** The response of the HTTP API, or why none came. */
  readonly info: Result.Result<Info, string>
  /** The reason why consumers cannot connect to the registered TCP port; `undefined` if they can, or it is not registered. */
  readonly tcpFailure: string | undefined
  readonly stats: Stats | undefined
  readonly clock: ClockReading | undefined
  /** The options that concern listeners, by config key; empty if nsqd does not show them to this host. */
  readonly options: ReadonlyMap<string, Schema.Json>
}

/** The daemons of a cluster. */
export interface Observation {
  readonly lookupds: ReadonlyArray<ObservedLookupd>
  readonly nsqds: ReadonlyArray<ObservedNsqd>
}

const timeout = "5 seconds"

const textOf = ({ message }: { readonly message: string }): string => message

const clockOf = Effect.fnUntraced(function*(address: string) {
  const { send } = yield* AdminRequests.make(address, { timeout })
  const before = yield* Clock.currentTimeMillis
  const { headers } = yield* send({ method: "GET", path: "/ping" })
  const after = yield* Clock.currentTimeMillis
  const date = Date.parse(headers["date"] ?? "")
  if (Number.isNaN(date)) return undefined
  const reading: ClockReading = {
    offsetMillis: date + 500 - (before + after) / 2,
    uncertaintyMillis: 500 + (after - before) / 2
  }
  return reading
}, Effect.orElseSucceed(() => undefined))

const lookupd = Effect.fnUntraced(function*({ address, info, nodes }: NsqlookupdApi.NsqlookupdApi) {
  const found: ObservedLookupd = {
    address,
    nodes: Result.mapError(yield* Effect.result(nodes), textOf),
    version: yield* Effect.match(info, { onSuccess: versionOf, onFailure: () => "" }),
    clock: yield* clockOf(address)
  }
  return found
})

/** Returns the version of a daemon with the name of its implementation. */
export const versionOf = (
  { effect_nsq_version: own, version }: { readonly version: string; readonly effect_nsq_version: string }
): string => own === "" ? version : `${version} (effect-nsq ${own})`

const connectFailure = Effect.fnUntraced(function*(host: string, port: number) {
  const { connect } = yield* Transport
  return yield* Effect.scoped(connect(joinAddress(host, port))).pipe(
    Effect.as(undefined),
    Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.succeed(`no connection within ${timeout}`) }),
    Effect.catch((error) => Effect.succeed(error.message))
  )
})

const unresolved = Effect.fnUntraced(function*(host: string) {
  const resolve = yield* HostResolver
  return yield* Effect.match(resolve(host), { onSuccess: () => undefined, onFailure: textOf })
})

const listenerKeys = [
  table.tcpAddress.key,
  table.httpAddress.key,
  table.httpsAddress.key,
  table.tlsCert.key,
  table.tlsRequired.key,
  table.tlsClientAuthPolicy.key,
  table.authHttpAddresses.key
]

interface Registered {
  readonly node: Node | undefined
  readonly registeredAt: ReadonlyArray<string>
}

const nsqd = Effect.fnUntraced(function*(address: string, { node, registeredAt }: Registered) {
  const api = yield* NsqdApi.make(address, { timeout })
  const hasHttp = node === undefined || node.http_port > 0
  const info: Result.Result<Info, string> = hasHttp
    ? Result.mapError(yield* Effect.result(api.info), textOf)
    : Result.fail("HTTP is disabled")
  const isUp = Result.isSuccess(info)
  const options = isUp
    ? yield* Effect.forEach(listenerKeys, (key) => Effect.map(api.config(key), (value) => [key, value] as const)).pipe(
      Effect.orElseSucceed(() => [])
    )
    : []
  const found: ObservedNsqd = {
    address,
    node,
    registeredAt,
    unresolved: node === undefined ? undefined : yield* unresolved(node.broadcast_address),
    info,
    tcpFailure: node === undefined || node.tcp_port <= 0
      ? undefined
      : yield* connectFailure(node.broadcast_address, node.tcp_port),
    stats: isUp
      ? yield* Effect.orElseSucceed(api.stats({ clients: false, memory: false }), () => undefined)
      : undefined,
    clock: isUp ? yield* clockOf(address) : undefined,
    options: new Map(options)
  }
  return found
})

/** Queries the daemons: the given nsqds, and those that the nsqlookupds have. Requests end after 5 s. */
export const observe = Effect.fn("Doctor.observe")(function*(
  lookupds: ReadonlyArray<NsqlookupdApi.NsqlookupdApi>,
  nsqdAddresses: ReadonlyArray<string>
): Effect.fn.Return<Observation, never, HttpClient.HttpClient | Transport> {
  const concurrently = { concurrency: 16 }
  const found = yield* Effect.forEach(lookupds, lookupd, concurrently)
  const all = new Map<string, Registered>(
    nsqdAddresses.map((address) => [address, { node: undefined, registeredAt: [] }])
  )
  for (const { address: at, nodes } of found) {
    for (const node of Result.getOrElse(nodes, () => [])) {
      const address = joinAddress(node.broadcast_address, node.http_port)
      all.set(address, { node, registeredAt: [...all.get(address)?.registeredAt ?? [], at] })
    }
  }
  const nsqds = yield* Effect.forEach(all, ([address, registered]) => nsqd(address, registered), concurrently)
  return { lookupds: found, nsqds }
})
