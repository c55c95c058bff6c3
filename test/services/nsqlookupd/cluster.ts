/** nsqlookupds and brokers as machines of a network in memory. */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { ChannelName, TopicName } from "../../../src/protocol/client/Names.ts"
import { DaemonState } from "../../../src/services/core/DaemonState.ts"
import { DaemonHttp } from "../../../src/services/http/DaemonHttp.ts"
import { HttpError, HttpErrorReason } from "../../../src/services/http/HttpError.ts"
import * as DaemonNetworks from "../../../src/services/net/DaemonNetworks.ts"
import { Transport } from "../../../src/services/net/Transport.ts"
import { Broker } from "../../../src/services/nsqd/broker/Broker.ts"
import { KnownLookupds } from "../../../src/services/nsqd/lookup/KnownLookupds.ts"
import * as LookupPeers from "../../../src/services/nsqd/lookup/LookupPeers.ts"
import * as NsqdOptions from "../../../src/services/nsqd/options/NsqdOptions.ts"
import { RuntimeOptions } from "../../../src/services/nsqd/options/RuntimeOptions.ts"
import { Storage } from "../../../src/services/nsqd/storage/Storage.ts"
import { LookupTcp } from "../../../src/services/nsqlookupd/LookupTcp.ts"
import * as NsqlookupdOptions from "../../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import type { RegistrationDatabase } from "../../../src/services/nsqlookupd/RegistrationDatabase.ts"
import { Registrations } from "../../../src/services/nsqlookupd/Registrations.ts"
import { MemoryTransport } from "../../../src/testing/index.ts"
import { quiet } from "../nsqd/broker/testing.ts"

const { MemoryNetwork } = MemoryTransport

/** The network from the view of the machine `name`. */
const on = (name: string) => Layer.effect(Transport, MemoryNetwork.useSync(({ machine }) => machine(name)))

/** The address at which the nsqlookupd `name` listens for nsqd. */
export const lookupdAddress = (name: string): string => `${name}:4160`

/** Runs an nsqlookupd without HTTP until the Scope closes. */
export const lookupd = Effect.fnUntraced(function*(
  name: string,
  options: Partial<NsqlookupdOptions.NsqlookupdOptions> = {}
): Effect.fn.Return<RegistrationDatabase, never, Scope.Scope | MemoryTransport.MemoryNetwork> {
  const daemon = DaemonState.make()
  daemon.listening("http", 4161)
  const context = yield* LookupTcp.layer.pipe(
    Layer.provideMerge(Registrations.layer),
    Layer.provide(
      Layer.mergeAll(on(name), Layer.succeed(DaemonState, daemon))
    ),
    Layer.provide(NsqlookupdOptions.layer({ tcpAddress: lookupdAddress(name), broadcastAddress: name, ...options })),
    Layer.provide(quiet),
    Layer.build,
    Effect.orDie
  )
  return Context.get(context, Registrations)
})

/** Returns the body of the response to a GET, or the reason of its failure. */
export type Respond = (url: URL, origin: DaemonNetworks.Origin) => Effect.Effect<string, HttpErrorReason>

const refused = HttpErrorReason.ConnectionFailure({ description: "connection refused", code: "ECONNREFUSED" })

/** Responds to `/channels` like these nsqlookupds. */
export const channelsOf =
  (lookupds: Readonly<Record<string, RegistrationDatabase>>): Respond => ({ hostname, searchParams }) => {
    const found = lookupds[hostname]
    return found === undefined
      ? Effect.fail(refused)
      : Effect.succeed(JSON.stringify({ channels: found.channels(searchParams.get("topic") ?? "") }))
  }

/** Treats nsqlookupds as if they were on other machines. */
const elsewhere = Layer.succeed(DaemonNetworks.DaemonNetworks, {
  ...DaemonNetworks.make([]),
  originBy: () => Effect.succeed("remote" as const)
})

const daemonHttp = (respond: Respond) =>
  Layer.mock(DaemonHttp)({
    get: (schema, address, path, origin = "configured") => {
      const url = `http://${address}${path}`
      return Effect.suspend(() => respond(new URL(url), origin)).pipe(
        Effect.flatMap((body) =>
          Effect.mapError(Schema.decodeEffect(Schema.fromJsonString(schema))(body), () =>
            HttpErrorReason.InvalidResponse())
        ),
        Effect.mapError((reason) =>
          new HttpError({ address, method: "GET", url, reason })
        )
      )
    }
  })

/** Runs a broker that registers at the nsqlookupds, until the Scope closes. */
export const nsqd = Effect.fnUntraced(function*(
  name: string,
  lookupds: ReadonlyArray<string>,
  http: Respond = channelsOf({})
) {
  const context = yield* LookupPeers.layer.pipe(
    Layer.provideMerge(Broker.layer.pipe(Layer.provide(KnownLookupds.layerDirectory))),
    Layer.provideMerge(Layer.mergeAll(KnownLookupds.layer, RuntimeOptions.layer)),
    Layer.provide(Layer.mergeAll(daemonHttp(http), elsewhere, Storage.layerMemory, on(name))),
    Layer.provide(NsqdOptions.layer({
      nodeId: 0,
      broadcastAddress: name,
      broadcastTcpPort: 4150,
      broadcastHttpPort: 4151,
      lookupdTcpAddresses: lookupds
    })),
    Layer.provide(quiet),
    Layer.build,
    Effect.orDie
  )
  const broker = Context.get(context, Broker)
  return {
    broker,
    options: Context.get(context, RuntimeOptions),
    topic: (topic: string) => broker.topic(TopicName.make(topic)),
    channel: (topic: string, channel: string) => broker.channel(TopicName.make(topic), ChannelName.make(channel))
  }
})

/** The producers of the topic by broadcast address, one for each registration. */
export const producersOf = (lookupd: RegistrationDatabase, topic: string): ReadonlyArray<string> =>
  (lookupd.lookup(topic)?.producers ?? []).map(({ identity }) => identity.broadcast_address).toSorted()
