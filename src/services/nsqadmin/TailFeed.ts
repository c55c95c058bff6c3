/**
 * Tails a topic: consumes its messages as they are published, from a channel of its own on each nsqd that has the topic. The
 * channel is ephemeral, so nsqd deletes it with its last connection, even if nsqadmin crashes.
 */
import { Clock, Context, Deferred, Effect, Layer, Random, type Scope, Stream } from "effect"
import { HttpClient } from "effect/http"
import { encodeCommand } from "../../protocol/client/Command.ts"
import { decodeMessage, decodeMessageWithHeaders } from "../../protocol/client/Message.ts"
import { ChannelName, isTopicName, type TopicName } from "../../protocol/client/Names.ts"
import { BadRequest, Unavailable, UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import type { TailEvent } from "../../protocol/http/admin/AdminLive.ts"
import { ClientError, ClientErrorReason } from "../client/ClientError.ts"
import * as Links from "../client/Links.ts"
import type { NsqdConnection } from "../client/NsqdConnection.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { type KnownNode, originOf, tcpAddress } from "../cluster/KnownNode.ts"
import * as Places from "../core/Places.ts"
import { version } from "../core/Version.ts"
import { DaemonNetworks } from "../net/DaemonNetworks.ts"
import * as NamedTransport from "../net/NamedTransport.ts"
import { Transport } from "../net/Transport.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"
import { TailBuffer } from "./TailBuffer.ts"
import * as Upstream from "./Upstream.ts"

/** The RDY count per nsqd. */
const ready = 20

/** Longer than the timeout for connecting to an nsqd. */
const joinTimeout = "10 seconds"

/** A random name, so that tails do not share a channel. */
const channelName = Effect.map(
  Random.nextIntBetween(0, 2 ** 32),
  (random) => ChannelName.make(`nsqadmin_${random.toString(16).padStart(8, "0")}#ephemeral`)
)

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

/** The nsqds that accepted or refused the subscription. Done when each initial nsqd is one of them. */
class Joining {
  readonly done = Deferred.makeUnsafe<void>()
  readonly joined: Array<string> = []
  readonly failed = new Map<string, string>()
  private readonly named: ReadonlyArray<string>

  constructor(named: ReadonlyArray<string>) {
    this.named = named
  }

  readonly succeed = (address: string): void => {
    if (!this.joined.includes(address)) this.joined.push(address)
    this.check()
  }

  readonly fail = (address: string, { message }: ClientError): void => {
    this.failed.set(address, message)
    this.check()
  }

  private check(): void {
    const isSettled = (address: string) => this.joined.includes(address) || this.failed.has(address)
    if (this.named.every(isSettled)) Deferred.doneUnsafe(this.done, Effect.void)
  }
}

/** Tails of topics, with a limit for concurrent ones. */
export class TailFeed extends Context.Service<TailFeed, {
  /**
   * Starts a tail of `samplePercent` (1 to 100) of a topic's messages and returns its events once at least one nsqd accepted
   * the subscription. The tail ends with the Scope. Fails for an invalid name or percentage, beyond `--max-tails`, if no nsqd
   * accepts, and if messages wait for the first channel of the topic, because the tail would be that channel and consume them.
   */
  readonly tail: (
    topic: string,
    samplePercent: number
  ) => Effect.Effect<Stream.Stream<TailEvent>, BadRequest | Unavailable | UpstreamError, Scope.Scope>
}>()("effect-nsq/admin/TailFeed") {
  static readonly layer: Layer.Layer<TailFeed, never, Cluster | Transport | HttpClient.HttpClient> = Layer.effect(
    TailFeed,
    Effect.gen(function*() {
      const cluster = yield* Cluster
      const transport = yield* Transport
      const client = yield* HttpClient.HttpClient
      const networks = yield* DaemonNetworks
      const { maxTails } = yield* NsqadminOptions
      /** The network for connections to the nsqds, restricted by the origin of each address. */
      const networkFor = (nodes: ReadonlyArray<KnownNode>) => {
        const origins = new Map(nodes.map((node) => [tcpAddress(node), originOf(node)]))
        const originBy = (address: string) => origins.get(address) ?? "remote"
        return Context.make(Transport, NamedTransport.make(transport, networks, originBy)).pipe(
          Context.add(HttpClient.HttpClient, client)
        )
      }
      const clock = yield* Clock.Clock
      const takePlace = Places.make(
        maxTails,
        () => Unavailable.make({ message: `TOO_MANY_TAILS: the limit is ${maxTails}; raise --max-tails` })
      )

      const refuseToTake = Effect.fnUntraced(function*(topic: string, nodes: ReadonlyArray<KnownNode>) {
        const { value } = yield* Upstream.query("get topic metadata", cluster.stats(nodes, { topic, clients: false }))
        const waiting = value.flatMap(({ topics }) => topics).filter(({ channels, depth }) =>
          channels.length === 0 && depth > 0
        )
        const [first] = waiting
        if (first === undefined) return
        const messages = waiting.reduce((sum, { depth }) => sum + depth, 0).toLocaleString("en-US")
        const reason =
          `${messages} messages wait for the first channel of ${topic} (on ${first.node}) and a tail would consume them`
        return yield* refuse(`MESSAGES_WAIT: ${reason}; create a channel first`)
      })

      /**
       * Subscribes and buffers messages until the connection closes. Finishes each message, whether the browser shows it or
       * not.
       */
      const follow = (topic: TopicName, channel: ChannelName, buffer: TailBuffer, joining: Joining) =>
        Effect.fnUntraced(function*(connection: NsqdConnection) {
          const { address } = connection
          const refused = yield* Deferred.make<never, ClientError>()
          connection.send(encodeCommand({ _tag: "SUB", topic, channel }))
          let isJoined = false
          const frames = connection.run({
            onResponse: (text) => {
              if (isJoined || text !== "OK") return
              isJoined = true
              connection.send(encodeCommand({ _tag: "RDY", count: ready }))
              joining.succeed(address)
            },
            onError: (description) => {
              const reason = ClientErrorReason.ServerRefusal({ address, description })
              Deferred.doneUnsafe(refused, Effect.fail(new ClientError({ reason })))
            },
            onMessage: (data, hasHeaders) => {
              const message = hasHeaders ? decodeMessageWithHeaders(data)?.message : decodeMessage(data)
              if (message === undefined) return
              buffer.add(address, message)
              connection.send(encodeCommand({ _tag: "FIN", id: message.id }))
            }
          })
          return yield* Effect.raceFirst(frames, Deferred.await(refused))
        })

      const tail = Effect.fnUntraced(function*(topic: string, samplePercent: number) {
        if (!isTopicName(topic)) return yield* refuse("INVALID_TOPIC")
        if (!Number.isInteger(samplePercent) || samplePercent < 1 || samplePercent > 100) {
          return yield* refuse("INVALID_SAMPLE")
        }
        yield* takePlace
        const producers = yield* Upstream.query("get topic producers", cluster.producers(topic))
        const addresses = producers.value.map(tcpAddress)
        if (addresses.length === 0) {
          return yield* Effect.fail(UpstreamError.make({ message: "UPSTREAM_ERROR: no nsqd has the topic" }))
        }
        yield* refuseToTake(topic, producers.value)
        const channel = yield* channelName
        const buffer = new TailBuffer(clock)
        const joining = new Joining(addresses)
        yield* Links.run({
          servers: { nsqd: addresses },
          connection: {
            userAgent: `nsqadmin/${version}`,
            sampleRate: samplePercent === 100 ? 0 : samplePercent
          },
          topic,
          use: follow(topic, channel, buffer, joining),
          onUnavailable: joining.fail
        }).pipe(Effect.provideContext(networkFor(producers.value)))
        yield* Effect.timeoutOption(Deferred.await(joining.done), joinTimeout)
        if (joining.joined.length === 0) {
          const reasons = [...joining.failed.values()].join("\n")
          return yield* Effect.fail(UpstreamError.make({ message: `UPSTREAM_ERROR: ${reasons}` }))
        }
        const begun: TailEvent = { _tag: "Tailing", channel, nodes: joining.joined.toSorted() }
        return Stream.concat(Stream.succeed(begun), Stream.fromPull(Effect.succeed(buffer.take)))
      })

      return TailFeed.of({ tail })
    })
  )
}
