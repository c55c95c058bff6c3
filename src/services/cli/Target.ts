/**
 * The cluster that a command works on: from the flags, else from the context, else the nsqd of this machine.
 */
import { Effect, Option } from "effect"
import type { HttpClient } from "effect/http"
import { type AdminError, NsqdApi, NsqlookupdApi } from "../admin/index.ts"
import type { ConnectionOptions, Servers } from "../client/index.ts"
import { joinAddress, splitAddress } from "../net/Transport.ts"
import { type CliError, daemonFailure, invalidArgument } from "./CliError.ts"
import * as Contexts from "./Contexts.ts"
import { root } from "./root.ts"

/** A cluster. */
export interface Target {
  readonly lookupds: ReadonlyArray<NsqlookupdApi.NsqlookupdApi>
  /** The calls to every nsqd, found through nsqlookupd unless they are given. */
  readonly nsqds: Effect.Effect<ReadonlyArray<NsqdApi.NsqdApi>, CliError, HttpClient.HttpClient>
  /** Where to publish and to consume. */
  readonly servers: Effect.Effect<Servers, CliError, HttpClient.HttpClient>
  readonly connection: ConnectionOptions
}

const local = { http: "127.0.0.1:4151", tcp: "127.0.0.1:4150" }

const all = <A>(calls: ReadonlyArray<Effect.Effect<A, AdminError>>): Effect.Effect<ReadonlyArray<A>, CliError> =>
  Effect.mapError(Effect.all(calls, { concurrency: 16 }), daemonFailure)

/** The TCP address of an nsqd, at the host of its HTTP address. */
const tcpAddress = (api: NsqdApi.NsqdApi): Effect.Effect<string, CliError> =>
  Effect.flatMap(Effect.mapError(api.info, daemonFailure), ({ tcp_port: port }) => {
    const host = splitAddress(api.address.replace(/^https?:\/\//, ""))?.host
    return host === undefined || port <= 0
      ? Effect.fail(invalidArgument(`${api.address} has no TCP port; give --nsqd-tcp-address`))
      : Effect.succeed(joinAddress(host, port))
  })

/** The cluster of this command. */
export const target = Effect.gen(function*() {
  const flags = yield* root
  const isGiven = flags.nsqd.length + flags.nsqdTcp.length + flags.lookupd.length > 0
  const context = isGiven && Option.isNone(flags.context)
    ? undefined
    : yield* Contexts.find(yield* Contexts.load, Option.getOrUndefined(flags.context))
  const http = isGiven ? flags.nsqd : context?.nsqd_http_addresses ?? []
  const tcp = isGiven ? flags.nsqdTcp : context?.nsqd_tcp_addresses ?? []
  const lookup = isGiven ? flags.lookupd : context?.lookupd_http_addresses ?? []
  const isLocal = http.length + tcp.length + lookup.length === 0
  const lookupds = yield* Effect.forEach(lookup, (address) => NsqlookupdApi.make(address))

  const registered = Effect.map(
    all(lookupds.map(({ nodes }) => nodes)),
    (answers) => new Set(answers.flat().map((node) => joinAddress(node.broadcast_address, node.http_port)))
  )
  const nsqdAddresses = isLocal
    ? Effect.succeed([local.http])
    : http.length > 0 || lookupds.length === 0
    ? Effect.succeed(http)
    : Effect.map(registered, (addresses) => [...addresses].toSorted())
  const nsqds = Effect.flatMap(nsqdAddresses, (addresses) =>
    addresses.length === 0
      ? Effect.fail(invalidArgument("no nsqd: give --nsqd-http-address or --lookupd-http-address"))
      : Effect.forEach(addresses, (address) => NsqdApi.make(address)))
  const servers: Target["servers"] = isLocal
    ? Effect.succeed({ nsqd: [local.tcp] })
    : tcp.length > 0
    ? Effect.succeed({ nsqd: tcp })
    : lookup.length > 0
    ? Effect.succeed({ lookupd: lookup })
    : Effect.map(Effect.flatMap(nsqds, Effect.forEach(tcpAddress)), (nsqd) => ({ nsqd }))
  const found: Target = {
    lookupds,
    nsqds,
    servers,
    connection: context === undefined ? {} : yield* Contexts.connectionOf(context)
  }
  return found
})
