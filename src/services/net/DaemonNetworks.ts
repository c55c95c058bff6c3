/**
 * Decides which addresses announced by other daemons may be connected to. An nsqlookupd forwards any address that a producer
 * registers, so any host that can register could otherwise make nsqadmin or a consumer send requests to services that only these
 * can reach: metadata services of clouds, programs on the same machine. Addresses that the operator configures are not checked.
 */
import { Context, Effect, Result } from "effect"
import * as Dns from "node:dns"
import { BlockList, isIP, type LookupFunction } from "node:net"
import { type OptionsError, refusedValue } from "../options/OptionsError.ts"
import { addressRefusal, NetError, NetErrorReason, unknownHost } from "./NetError.ts"
import { joinAddress, splitAddress } from "./Transport.ts"

/**
 * The origin of an address: the operator (`configured`), a daemon on this machine (`loopback`), or another daemon (`remote`).
 */
export type Origin = "configured" | "loopback" | "remote"

/** Resolves a host to its IP addresses. Default: the operating system's resolver. */
export const HostResolver: Context.Reference<(host: string) => Effect.Effect<ReadonlyArray<string>, NetError>> = Context
  .Reference("effect-nsq/cluster/HostResolver", {
    defaultValue: () => (host) =>
      Effect.callback((resume) =>
        Dns.lookup(host, { all: true }, (error, found) =>
          resume(
            error === null
              ? Effect.succeed(found.map(({ address }) => address))
              : Effect.fail(unknownHost(error.message))
          ))
      )
  })

type Family = "ipv4" | "ipv6"

/** A network: an address in it, the number of bits that its addresses have in common, and the family. */
export type Network = readonly [address: string, prefix: number, family: Family]

const familyOf = (ip: string): Family => isIP(ip) === 6 ? "ipv6" : "ipv4"

const blockList = (subnets: ReadonlyArray<Network>): BlockList => {
  const list = new BlockList()
  for (const [address, prefix, family] of subnets) list.addSubnet(address, prefix, family)
  return list
}

const loopback = blockList([["127.0.0.0", 8, "ipv4"], ["::1", 128, "ipv6"]])

/** Link-local, multicast, broadcast and unspecified addresses, which cannot belong to a daemon. */
const unusable = blockList([
  ["0.0.0.0", 8, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["224.0.0.0", 4, "ipv4"],
  ["255.255.255.255", 32, "ipv4"],
  ["::", 128, "ipv6"],
  ["fe80::", 10, "ipv6"],
  ["ff00::", 8, "ipv6"]
])

const withoutZone = (ip: string): string => ip.replace(/%.*$/, "")

const isIn = (list: BlockList, ip: string): boolean => list.check(withoutZone(ip), familyOf(ip))

/** Returns the network in CIDR notation, or of a single address; `undefined` if it is not valid. Zones are not part of networks. */
const networkOf = (text: string): Network | undefined => {
  const [, address = "", bits] = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? []
  if (isIP(address) === 0) return undefined
  const longest = isIP(address) === 6 ? 128 : 32
  const prefix = bits === undefined ? longest : Number(bits)
  return prefix > longest ? undefined : [address, prefix, familyOf(address)]
}

/**
 * Parses networks in CIDR notation, comma separated; a single address is a network. Fails with the reason `InvalidNetwork`, whose
 * description is the invalid string.
 */
export const parse = (texts: ReadonlyArray<string>): Result.Result<ReadonlyArray<Network>, NetError> => {
  const networks: Array<Network> = []
  for (const text of texts.flatMap((text) => text.split(",")).map((text) => text.trim())) {
    if (text === "") continue
    const network = networkOf(text)
    if (network === undefined) {
      return Result.fail(new NetError({ reason: NetErrorReason.InvalidNetwork({ description: text }) }))
    }
    networks.push(network)
  }
  return Result.succeed(networks)
}

/** Returns the rule: the listed networks, or without a list the default of `--allowed-daemon-networks`. */
const makeRule = (networks: ReadonlyArray<Network>) => {
  const listFor = (family: Family): BlockList => blockList(networks.filter(([, , each]) => each === family))
  // A list with both families would find IPv4 addresses in networks of IPv6, such as ::/0.
  const lists = { ipv4: listFor("ipv4"), ipv6: listFor("ipv6") }
  return (ip: string, origin: Origin): boolean => {
    if (origin === "configured") return true
    if (networks.length === 0) return !isIn(unusable, ip) && (origin === "loopback" || !isIn(loopback, ip))
    const address = withoutZone(ip).replace(/^::ffff:(?=\d+\.)/i, "")
    return isIP(address) !== 0 && isIn(lists[familyOf(address)], address)
  }
}

const refusal = (address: string, found: string): NetError =>
  addressRefusal(`${address}: ${found} is not an address that another daemon may announce (--allowed-daemon-networks)`)

/** The addresses that may be connected to. */
export interface DaemonNetworks {
  /** Returns the origin of addresses that the daemon at `namer`, a host or `host:port`, announces. */
  readonly originBy: (namer: string) => Effect.Effect<Origin>
  /** Returns the allowed addresses, `ip:port`, of the daemon at `host:port`. Fails with `AddressRefusal` if none is allowed. */
  readonly resolve: (address: string, origin: Origin) => Effect.Effect<ReadonlyArray<string>, NetError>
  /** Returns a `lookup` for sockets, which omits addresses that are not allowed. */
  readonly lookup: (origin: Origin) => LookupFunction
}

const ipsOf = (host: string): Effect.Effect<ReadonlyArray<string>, NetError> =>
  isIP(host) === 0 ? Effect.flatMap(HostResolver, (find) => find(host)) : Effect.succeed([host])

const originBy = (namer: string): Effect.Effect<Origin> =>
  ipsOf(splitAddress(namer)?.host ?? namer).pipe(
    Effect.map((ips): Origin => ips.length > 0 && ips.every((ip) => isIn(loopback, ip)) ? "loopback" : "remote"),
    // The stricter origin for a name that cannot be resolved.
    Effect.orElseSucceed((): Origin => "remote")
  )

/** Returns the rule for the networks of `--allowed-daemon-networks`; the default rule without any. */
export const make = (networks: ReadonlyArray<Network>): DaemonNetworks => {
  const isAllowed = makeRule(networks)
  return {
    originBy,
    resolve: Effect.fnUntraced(function*(address: string, origin: Origin) {
      if (origin === "configured") return [address]
      const parts = splitAddress(address)
      if (parts === undefined) return yield* addressRefusal(`${address}: not a valid address`)
      const ips = yield* Effect.mapError(ipsOf(parts.host), ({ message }) => addressRefusal(`${address}: ${message}`))
      const allowed = ips.filter((ip) => isAllowed(ip, origin))
      if (allowed.length === 0) return yield* refusal(address, ips.join(", "))
      return allowed.map((ip) => joinAddress(ip, parts.port))
    }),
    lookup: (origin) => (host, options, callback) =>
      Dns.lookup(host, { ...options, all: true }, (error, found) => {
        if (error !== null) return callback(error, "", 0)
        const allowed = found.filter(({ address }) => isAllowed(address, origin))
        const [first] = allowed
        if (first === undefined) {
          return callback(refusal(host, found.map(({ address }) => address).join(", ")), "", 0)
        }
        if (options.all === true) callback(null, allowed)
        else callback(null, first.address, first.family)
      })
  }
}

/** Returns the rule for the value of `--allowed-daemon-networks`. Fails if a network is not valid. */
export const fromOption = (networks: ReadonlyArray<string>): Result.Result<DaemonNetworks, OptionsError> =>
  Result.mapBoth(parse(networks), {
    onSuccess: make,
    onFailure: ({ message }) => refusedValue(`failed to parse --allowed-daemon-networks - ${message}`)
  })

/** The rule for announced addresses. Default: `make([])`. */
export const DaemonNetworks: Context.Reference<DaemonNetworks> = Context.Reference(
  "effect-nsq/cluster/DaemonNetworks",
  { defaultValue: () => make([]) }
)
