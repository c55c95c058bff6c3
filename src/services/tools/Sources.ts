/**
 * Where the utilities that consume get their messages from: the flags, the checks and the texts that they share.
 */
import { Effect, Result } from "effect"
import { isValidName } from "../../protocol/client/Names.ts"
import { type ConnectionOptions, type ConsumerOptions, NsqdConnection, type Servers } from "../client/index.ts"
import * as DaemonNetworks from "../net/DaemonNetworks.ts"
import type { Transport } from "../net/Transport.ts"
import * as PeerOptions from "../options/DaemonPeerOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionTable.ts"
import * as ClientSettings from "./ClientSettings.ts"
import { type ToolError, toolError } from "./ToolError.ts"

/** The flags of every utility that consumes. */
export interface SourceOptions {
  readonly nsqdTcpAddresses: ReadonlyArray<string>
  readonly lookupdHttpAddresses: ReadonlyArray<string>
  readonly consumerOpt: ClientSettings.ClientSettings
  readonly maxInFlight: number
  /** Networks of addresses that nsqlookupd may name, as CIDR; empty for the default rule. */
  readonly allowedDaemonNetworks: ReadonlyArray<string>
}

const none = (): ReadonlyArray<string> => []

export const table = {
  nsqdTcpAddresses: row("nsqd-tcp-address", Kind.strings, none, "nsqd TCP address (may be given several times)"),
  lookupdHttpAddresses: row(
    "lookupd-http-address",
    Kind.strings,
    none,
    "nsqlookupd HTTP address (may be given several times)"
  ),
  consumerOpt: row(
    "consumer-opt",
    ClientSettings.kind,
    (): ClientSettings.ClientSettings => new Map(),
    "option of the consumer as name,value (may be given several times)"
  ),
  maxInFlight: row("max-in-flight", Kind.int, () => 200, "messages in flight at most"),
  allowedDaemonNetworks: PeerOptions.allowedDaemonNetworks
}

/** The servers that the flags name, exactly one kind of them. */
export const servers = (options: SourceOptions): Effect.Effect<Servers, ToolError> => {
  const { consumerOpt, lookupdHttpAddresses: lookupd, nsqdTcpAddresses: nsqd } = options
  const { allowedDaemonNetworks: allowedNetworks } = options
  if (nsqd.length === 0 && lookupd.length === 0) {
    return Effect.fail(toolError("--nsqd-tcp-address or --lookupd-http-address required"))
  }
  if (nsqd.length > 0 && lookupd.length > 0) {
    return Effect.fail(toolError("use --nsqd-tcp-address or --lookupd-http-address not both"))
  }
  const parsed = DaemonNetworks.parse(allowedNetworks)
  if (Result.isFailure(parsed)) {
    return Effect.fail(toolError(`--allowed-daemon-networks error - invalid CIDR address: ${parsed.failure}`))
  }
  return Effect.succeed(
    nsqd.length > 0 ? { nsqd } : { lookupd, ...ClientSettings.pollOptions(consumerOpt), allowedNetworks }
  )
}

/**
 * Fails if an nsqd that was named cannot be reached, or refuses this client; one that goes away later does not end the program.
 */
const checkUsable = (servers: Servers, connection: ConnectionOptions): Effect.Effect<void, ToolError, Transport> =>
  "nsqd" in servers
    ? Effect.forEach(servers.nsqd, (address) => Effect.scoped(NsqdConnection.open(address, connection)), {
      concurrency: "unbounded",
      discard: true
    }).pipe(Effect.mapError((error) => toolError(error.message)))
    : Effect.void

/** The connection that the flags ask for, once it is known that the servers they name accept it. */
export const connection = Effect.fnUntraced(function*(
  options: SourceOptions,
  program: string
): Effect.fn.Return<ConnectionOptions, ToolError, Transport> {
  const wanted = yield* ClientSettings.connectionOptions(options.consumerOpt, program)
  yield* checkUsable(yield* servers(options), wanted)
  return wanted
})

/** What a consumer of this topic and channel is made of. `program` is its name, said to nsqd with the version. */
export const consumerOptions = Effect.fnUntraced(function*(
  options: SourceOptions,
  program: string,
  topic: string,
  channel: string
): Effect.fn.Return<Omit<ConsumerOptions<Uint8Array>, "topic">, ToolError, Transport> {
  const from = yield* servers(options)
  if (!isValidName(topic)) return yield* toolError("invalid topic name")
  if (!isValidName(channel)) return yield* toolError("invalid channel name")
  return {
    channel,
    servers: from,
    connection: yield* connection(options, program),
    maxInFlight: options.maxInFlight,
    ...ClientSettings.consumingOptions(options.consumerOpt)
  }
})
