/**
 * Checks nsqadmin's options before it listens, in NSQ's order and with NSQ's texts
 * (docs/protocol/options.md#start-of-nsqadmin). Resolves each host name once, so that a misspelt name fails the start and not
 * the first query.
 */
import { Duration, Effect, Result } from "effect"
import { IpInterface, IpNetwork } from "effect/net"
import { lookup } from "node:dns/promises"
import { readFile } from "node:fs/promises"
import type { SecureContext, SecureContextOptions } from "node:tls"
import { maskedWebhook } from "../core/Masked.ts"
import * as SystemText from "../core/SystemText.ts"
import type { ClientTls } from "../http/HttpClients.ts"
import * as DaemonNetworks from "../net/DaemonNetworks.ts"
import { splitAddress } from "../net/Transport.ts"
import * as Trust from "../net/Trust.ts"
import { type OptionsError, refusedValue } from "../options/OptionsError.ts"
import * as NamedClusters from "./NamedClusters.ts"
import type { NsqadminOptions } from "./NsqadminTable.ts"

/** Values derived from the options. */
export interface CheckedOptions {
  readonly tls: ClientTls
  /** The clusters, the one at the base path first. */
  readonly clusters: ReadonlyArray<NamedClusters.NamedCluster>
  /** The network that may use `/config`; undefined for all addresses. */
  readonly configNetwork: IpNetwork.IpNetwork | undefined
  /** The networks of addresses that daemons may announce. */
  readonly daemonNetworks: DaemonNetworks.DaemonNetworks
  /** Empty, or `/` and a path without a trailing slash. */
  readonly basePath: string
}

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

/** Reads a file. `problem` begins the message of the error. */
const read = (path: string, problem: string): Effect.Effect<string, OptionsError> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => refusedValue(`${problem} - ${SystemText.ofFile(path, cause)}`)
  })

const makeSecureContext = async (options: SecureContextOptions): Promise<SecureContext> =>
  (await import("node:tls")).createSecureContext(options)

/** Reads a certificate and its key, and checks that they match. */
const readPair = Effect.fnUntraced(function*(certPath: string, keyPath: string) {
  const problem = `failed to LoadX509KeyPair ${certPath}, ${keyPath}`
  const pair = { cert: yield* read(certPath, problem), key: yield* read(keyPath, problem) }
  yield* Effect.tryPromise({
    try: () => makeSecureContext(pair),
    catch: (cause) => refusedValue(`${problem} - ${messageOf(cause)}`)
  })
  return pair
})

const clientTls = Effect.fnUntraced(function*(
  options: NsqadminOptions
): Effect.fn.Return<ClientTls, OptionsError> {
  const { httpClientTlsCert: certPath, httpClientTlsKey: keyPath, httpClientTlsRootCaFile: caPath } = options
  const rejectUnauthorized = !options.httpClientTlsInsecureSkipVerify
  if (certPath !== "" && keyPath === "") {
    return yield* refusedValue("--http-client-tls-key must be specified with --http-client-tls-cert")
  }
  if (keyPath !== "" && certPath === "") {
    return yield* refusedValue("--http-client-tls-cert must be specified with --http-client-tls-key")
  }
  const pair = certPath === "" ? {} : yield* readPair(certPath, keyPath)
  if (caPath === "") return { ...pair, rejectUnauthorized }
  const ca = yield* read(caPath, `failed to read TLS root CA file ${caPath}`)
  const noAuthority = () => refusedValue(`failed to AppendCertsFromPEM ${caPath}`)
  if (!ca.includes("-----BEGIN CERTIFICATE-----")) return yield* noAuthority()
  yield* Effect.tryPromise({ try: () => makeSecureContext({ ca }), catch: noAuthority })
  return { ...pair, ...Trust.given(ca), rejectUnauthorized }
})

const resolve = Effect.fnUntraced(function*(flag: string, address: string): Effect.fn.Return<void, OptionsError> {
  const failed = (reason: string) => refusedValue(`failed to resolve ${flag} (${address}) - ${reason}`)
  const parts = splitAddress(address)
  if (parts === undefined) {
    return yield* failed(`address ${address}: ${/:.*:/.test(address) ? "too many colons" : "missing port"} in address`)
  }
  if (parts.host === "") return
  yield* Effect.tryPromise({
    try: () => lookup(parts.host),
    catch: (cause) => failed(SystemText.ofLookup(parts.host, cause))
  })
})

/** Parses a CIDR. As in NSQ, the address may have bits beyond the prefix. */
const network = (cidr: string): Effect.Effect<IpNetwork.IpNetwork | undefined, OptionsError> => {
  if (cidr === "") return Effect.undefined
  const parsed = cidr.includes("/") ? IpInterface.fromString(cidr) : Result.fail(undefined)
  return Result.isSuccess(parsed)
    ? Effect.succeed(IpNetwork.fromInterface(parsed.success))
    : Effect.fail(refusedValue(`failed to parse --allow-config-from-cidr (${cidr}) - invalid CIDR address: ${cidr}`))
}

/** Resolves dot segments, adds a leading slash and removes a trailing one; the root is empty. */
export const normalizeBasePath = (given: string): string => {
  const parts: Array<string> = []
  for (const part of given.split("/")) {
    if (part === "..") parts.pop()
    else if (part !== "" && part !== ".") parts.push(part)
  }
  return parts.map((part) => `/${part}`).join("")
}

/** Returns the values derived from the options. Fails with the first error. */
export const check = Effect.fnUntraced(function*(
  options: NsqadminOptions
): Effect.fn.Return<CheckedOptions, OptionsError> {
  const { lookupdHttpAddresses: lookupds, nsqdHttpAddresses: nsqds } = options
  const clusters = yield* Effect.fromResult(NamedClusters.fromOptions(options))
  if (clusters.length === 0) {
    return yield* refusedValue("--nsqd-http-address or --lookupd-http-address required")
  }
  if (nsqds.length > 0 && lookupds.length > 0) {
    return yield* refusedValue("use --nsqd-http-address or --lookupd-http-address not both")
  }
  const tls = yield* clientTls(options)
  yield* Effect.forEach(lookupds, (address) => resolve("--lookupd-http-address", address))
  yield* Effect.forEach(nsqds, (address) => resolve("--nsqd-http-address", address))
  for (const { name, sources } of clusters) {
    if (name === NamedClusters.defaultName) continue
    yield* Effect.forEach(sources.lookupd, (address) => resolve("--cluster", address))
    yield* Effect.forEach(sources.nsqd, (address) => resolve("--cluster-nsqd", address))
  }
  const { graphiteUrl } = options
  if ((options.proxyGraphite || graphiteUrl !== "") && URL.parse(graphiteUrl)?.protocol.startsWith("http") !== true) {
    return yield* refusedValue(`failed to parse --graphite-url (${graphiteUrl}) - not an HTTP URL`)
  }
  const configNetwork = yield* network(options.allowConfigFromCidr)
  const endpoint = options.notificationHttpEndpoint
  if (endpoint !== "" && URL.parse(endpoint)?.protocol.startsWith("http") !== true) {
    return yield* refusedValue(`failed to parse --notification-http-endpoint (${endpoint}) - not an HTTP URL`)
  }
  const webhook = options.alertWebhooks.find((url) => URL.parse(url)?.protocol.startsWith("http") !== true)
  if (webhook !== undefined) {
    return yield* refusedValue(`failed to parse --alert-webhook (${maskedWebhook(webhook)}) - not an HTTP URL`)
  }
  if (Duration.toSeconds(options.statsdInterval) < 1) {
    return yield* refusedValue("--statsd-interval must be at least 1s")
  }
  if (Duration.toMillis(options.sampleInterval) < 100) {
    return yield* refusedValue("--sample-interval must be at least 100ms")
  }
  if (options.historyDir !== "" && Duration.toHours(options.historyRetention) < 1) {
    return yield* refusedValue("--history-retention must be at least 1h")
  }
  if (options.warnDepth < 1) return yield* refusedValue("--warn-depth must be at least 1")
  const daemonNetworks = yield* Effect.fromResult(DaemonNetworks.fromOption(options.allowedDaemonNetworks))
  return { tls, clusters, configNetwork, daemonNetworks, basePath: normalizeBasePath(options.basePath) }
})
