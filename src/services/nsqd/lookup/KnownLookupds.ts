/**
 * The configured nsqlookupds and their IDENTIFY responses. They are nsqd's `ChannelDirectory`: a new topic gets the
 * channels that they have for it (docs/protocol/nsqlookupd.md#channels-of-new-topics).
 */
import { Context, Deferred, Effect, Layer } from "effect"
import { type ChannelName, isChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import { Channels } from "../../../protocol/http/LookupResponse.ts"
import { isReachable, type LookupdIdentity } from "../../../protocol/lookup/LookupIdentity.ts"
import { DaemonHttp } from "../../http/DaemonHttp.ts"
import type { HttpError } from "../../http/HttpError.ts"
import * as NodeDaemonHttp from "../../http/NodeDaemonHttp.ts"
import { DaemonNetworks, type Origin } from "../../net/DaemonNetworks.ts"
import { joinAddress, splitAddress } from "../../net/Transport.ts"
import { ChannelDirectory } from "../broker/ChannelDirectory.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"

const maxResponseBytes = 1024 * 1024
/** Channels created for one new topic at most: a limit for a faulty nsqlookupd. */
const maxChannels = 1000

/** How long a topic that is created while nsqd starts waits for the first connections. */
const firstConnection = "2 seconds"

interface Lookupd {
  identity: LookupdIdentity | undefined
  /** Done when the first attempt to connect has succeeded or failed. */
  readonly attempted: Deferred.Deferred<void>
}

/** An nsqlookupd that has reported its HTTP address, and its configured TCP address. */
interface Named {
  readonly address: string
  readonly identity: LookupdIdentity
}

const textOf = ({ description, reason, url }: HttpError): string =>
  `${url} - ${reason._tag === "InvalidResponse" ? "the response has no list of channels" : description}`

/** A connection for each request: they are rare, and nsqlookupd may close a kept connection meanwhile. */
const daemonHttp: Layer.Layer<DaemonHttp> = Layer.unwrap(
  Effect.map(NsqdOptions, (options) =>
    NodeDaemonHttp.layer(
      { ...options, maxDaemonResponseSize: maxResponseBytes, responseSizeOption: "fixed limit" },
      {},
      { keepAlive: false }
    ))
)

/** The nsqlookupds known to this nsqd. */
export class KnownLookupds extends Context.Service<KnownLookupds, {
  /** Adds a configured nsqlookupd. */
  readonly add: (address: string) => void
  /** Removes an nsqlookupd that is no longer configured. */
  readonly remove: (address: string) => void
  /** Sets the IDENTIFY response of an nsqlookupd; `undefined` without a connection. */
  readonly note: (address: string, identity: LookupdIdentity | undefined) => void
  readonly directory: ChannelDirectory
}>()("effect-nsq/lookup/KnownLookupds") {
  static readonly layer: Layer.Layer<KnownLookupds, never, DaemonHttp> = Layer.effect(
    KnownLookupds,
    Effect.gen(function*() {
      const daemons = yield* DaemonHttp
      const networks = yield* DaemonNetworks
      const options = yield* NsqdOptions
      const lookupds = new Map<string, Lookupd>()

      const add = (address: string): void => {
        if (lookupds.has(address)) return
        lookupds.set(address, { identity: undefined, attempted: Deferred.makeUnsafe<void>() })
      }
      options.lookupdTcpAddresses.forEach(add)

      /** Of what the nsqlookupd at `address` announces; the strictest if the name cannot be resolved in time. */
      const originBy = (address: string): Effect.Effect<Origin> =>
        Effect.timeoutOrElse(networks.originBy(address), {
          duration: options.httpClientRequestTimeout,
          orElse: () => Effect.succeed<Origin>("remote")
        })

      const query = Effect.fnUntraced(function*({ address, identity }: Named, topic: TopicName) {
        const { broadcast_address, http_port } = identity
        const announced = joinAddress(broadcast_address, http_port)
        const path = `/channels?topic=${encodeURIComponent(topic)}`
        yield* Effect.logInfo(`CI: querying nsqlookupd http://${announced}${path}`)
        const origin = yield* originBy(address)
        const { channels } = yield* daemons.get(Channels, announced, path, origin).pipe(
          // The configured host stays allowed: the name of a refused address may resolve to loopback on the same
          // machine.
          Effect.catchReason("HttpError", "AddressRefusal", ({ description }) =>
            Effect.andThen(
              Effect.logWarning(`${description}, querying ${address} instead`),
              daemons.get(Channels, joinAddress(splitAddress(address)?.host ?? address, http_port), path)
            ))
        )
        return channels
      })

      const queryOrWarn = (lookupd: Named, topic: TopicName) =>
        Effect.catch(query(lookupd, topic), (error) =>
          Effect.as(
            Effect.logWarning(
              `failed to query nsqlookupd for channels to pre-create for topic ${topic} - ${textOf(error)}`
            ),
            []
          ))

      const channelsOf = Effect.fnUntraced(function*(topic: TopicName) {
        yield* Effect.forEach(Array.from(lookupds.values()), ({ attempted }) => Deferred.await(attempted), {
          concurrency: "unbounded",
          discard: true
        }).pipe(Effect.timeoutOption(firstConnection))
        const reachable = Array.from(lookupds).flatMap(([address, { identity }]): ReadonlyArray<Named> =>
          identity !== undefined && isReachable(identity) ? [{ address, identity }] : []
        )
        if (reachable.length === 0) {
          yield* Effect.logError(
            `no available nsqlookupd to query for channels to pre-create for topic ${topic}`
          )
          return []
        }
        const responses = yield* Effect.forEach(reachable, (lookupd) => queryOrWarn(lookupd, topic), {
          concurrency: "unbounded"
        })
        const channels = new Set<ChannelName>()
        for (const name of responses.flat()) {
          // An ephemeral channel exists only while it has consumers, and here it would have none.
          if (isChannelName(name) && !isEphemeral(name)) channels.add(name)
        }
        if (channels.size <= maxChannels) return Array.from(channels)
        yield* Effect.logWarning(
          `nsqlookupd has ${channels.size} channels for topic ${topic}, creating ${maxChannels} of them`
        )
        return Array.from(channels).slice(0, maxChannels)
      })

      return {
        add,
        remove: (address) => {
          const lookupd = lookupds.get(address)
          lookupds.delete(address)
          if (lookupd !== undefined) Deferred.doneUnsafe(lookupd.attempted, Effect.void)
        },
        note: (address, identity) => {
          const lookupd = lookupds.get(address)
          if (lookupd === undefined) return
          lookupd.identity = identity
          Deferred.doneUnsafe(lookupd.attempted, Effect.void)
        },
        directory: { channelsOf: (topic) => lookupds.size === 0 ? undefined : channelsOf(topic) }
      }
    })
  )

  /** With requests over `node:http`. */
  static readonly layerNode: Layer.Layer<KnownLookupds> = KnownLookupds.layer.pipe(Layer.provide(daemonHttp))

  /** Provides the nsqlookupds to the broker as its channel directory. */
  static readonly layerDirectory: Layer.Layer<never, never, KnownLookupds> = Layer.effect(
    ChannelDirectory,
    KnownLookupds.useSync(({ directory }) => directory)
  )
}
