/**
 * nsqd's connections to the nsqlookupds (docs/protocol/nsqlookupd.md#nsqd-as-a-client). One fiber per nsqlookupd
 * keeps a connection open, registers everything after a reconnect, sends the broker's changes, and pings. The list of
 * nsqlookupds can change at any time. A failure of one nsqlookupd affects neither the others nor messages.
 */
import { Effect, FiberMap, Layer, PubSub, Schedule, type Scope, Stream } from "effect"
import type { LookupCommand } from "../../../protocol/lookup/LookupCommand.ts"
import {
  decodeLookupd,
  isReachable,
  type LookupdIdentity,
  type ProducerIdentity
} from "../../../protocol/lookup/LookupIdentity.ts"
import { isRefusal } from "../../../protocol/lookup/LookupReply.ts"
import * as NodeId from "../../core/NodeId.ts"
import * as Time from "../../core/Time.ts"
import { version } from "../../core/Version.ts"
import { Transport } from "../../net/Transport.ts"
import { Broker } from "../broker/Broker.ts"
import type { Topic } from "../broker/Topic.ts"
import type { TopologyEvent } from "../broker/Topology.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { RuntimeOptions } from "../options/RuntimeOptions.ts"
import { KnownLookupds } from "./KnownLookupds.ts"
import * as LookupConnection from "./LookupConnection.ts"
import { type LookupError, lookupError } from "./LookupError.ts"
import { RefusedRegistrations, type Register } from "./RefusedRegistrations.ts"

const pingMillis = 15_000

/** Delays between attempts to connect. NSQ's nsqd retries at the next ping or the next change of its topics. */
const backoff = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("10 seconds")])
  .pipe(Schedule.jittered)

/** Delay after the loss of an established connection. */
const pause = "250 millis"

/** A topic is registered by its channels, or by itself if it has none. */
const registrationsOf = ({ channels, name }: Topic): ReadonlyArray<Register> =>
  channels.length === 0
    ? [{ _tag: "REGISTER", topic: name, channel: undefined }]
    : channels.map((channel) => ({ _tag: "REGISTER", topic: name, channel: channel.name }))

/** The commands for a change; none for additions to a topic that a drain has withdrawn. */
const commandsOf = (event: TopologyEvent, { drain, findTopic }: Broker["Service"]): ReadonlyArray<LookupCommand> => {
  const { topic } = event
  switch (event._tag) {
    case "TopicCreated":
      return drain.isOffered(topic) ? [{ _tag: "REGISTER", topic, channel: undefined }] : []
    case "ChannelCreated":
      return drain.isOffered(topic) ? [{ _tag: "REGISTER", topic, channel: event.channel }] : []
    case "TopicOffered": {
      const found = findTopic(topic)
      return found === undefined ? [] : registrationsOf(found)
    }
    case "TopicDeleted":
    case "TopicWithdrawn":
      return [{ _tag: "UNREGISTER", topic, channel: undefined }]
    case "ChannelDeleted":
      return [{ _tag: "UNREGISTER", topic, channel: event.channel }]
  }
}

const identityOf = (options: NsqdOptions): ProducerIdentity => ({
  broadcast_address: options.broadcastAddress,
  hostname: NodeId.hostname(),
  http_port: options.broadcastHttpPort,
  tcp_port: options.broadcastTcpPort,
  topology_region: options.topologyRegion,
  topology_zone: options.topologyZone,
  version
})

const describe = (command: LookupCommand): string =>
  command._tag === "REGISTER" || command._tag === "UNREGISTER"
    ? `${command._tag} ${command.topic}${command.channel === undefined ? "" : ` ${command.channel}`}`
    : command._tag

/** The first 256 characters of a peer's text, for the log. */
const excerpt = (text: string): string => text.slice(0, 256)

const infoText = ({ broadcast_address, http_port, tcp_port, version }: LookupdIdentity): string =>
  `{TCPPort:${tcp_port} HTTPPort:${http_port} Version:${excerpt(version)} BroadcastAddress:${
    excerpt(broadcast_address)
  }}`

const make = Effect.gen(function*() {
  const broker = yield* Broker
  const runtime = yield* RuntimeOptions
  const known = yield* KnownLookupds
  const transport = yield* Transport
  const time = yield* Time.make

  /**
   * Sends commands and expects OK for each. A refused REGISTER affects only its topic or channel: it is kept in
   * `refused` and retried later. Any other response ends the connection.
   */
  const sendCommands = Effect.fnUntraced(function*(
    address: string,
    connection: LookupConnection.LookupConnection,
    commands: ReadonlyArray<LookupCommand>,
    refused: RefusedRegistrations
  ) {
    for (const command of commands) yield* Effect.logInfo(`LOOKUPD(${address}): ${describe(command)}`)
    const failed: Array<string> = []
    let unexpected: string | undefined
    const note = (command: LookupCommand, response: string): void => {
      if (response === "OK") return refused.settle(command)
      const reason = `${describe(command)} - lookupd returned ${excerpt(response)}`
      if (command._tag !== "REGISTER" || !isRefusal(response)) unexpected ??= reason
      else if (refused.add(command, time.monotonicMillis())) failed.push(reason)
    }
    const logRefused = Effect.suspend(() => {
      const [first] = failed
      if (first === undefined) return Effect.void
      const others = failed.length === 1 ? "" : `, and ${failed.length - 1} more registrations refused`
      return Effect.logError(`LOOKUPD(${address}): ${first}${others}; retrying every minute`)
    })
    yield* Effect.ensuring(connection.request(commands, note), logRefused)
    if (unexpected !== undefined) return yield* lookupError("Refusal", unexpected)
  })

  const identify = Effect.fnUntraced(function*(address: string, connection: LookupConnection.LookupConnection) {
    const [response = ""] = yield* connection.request([{
      _tag: "IDENTIFY",
      producer: identityOf(yield* runtime.current)
    }])
    const identity = decodeLookupd(response)
    if (identity === undefined) {
      return yield* isRefusal(response)
        ? lookupError("Refusal", `lookupd returned ${excerpt(response)}`)
        : lookupError("InvalidResponse", `parsing response - ${excerpt(response)}`)
    }
    yield* Effect.logInfo(`LOOKUPD(${address}): peer info ${infoText(identity)}`)
    if (identity.broadcast_address === "") yield* Effect.logError(`LOOKUPD(${address}): no broadcast address`)
    else if (!isReachable(identity)) yield* Effect.logError(`LOOKUPD(${address}): the broadcast address is not usable`)
    return identity
  })

  /** Pings and sends changes until the connection fails. */
  const serve = Effect.fnUntraced(function*(
    address: string,
    connection: LookupConnection.LookupConnection,
    events: PubSub.Subscription<TopologyEvent>,
    refused: RefusedRegistrations
  ) {
    let nextPing = time.monotonicMillis() + pingMillis
    while (true) {
      const wait = Effect.as(Effect.sleep(Math.max(0, nextPing - time.monotonicMillis())), [])
      const changed = yield* Effect.raceAllFirst([PubSub.takeAll(events), wait, connection.ended])
      if (changed.length > 0) {
        const commands = changed.flatMap((event) => commandsOf(event, broker))
        if (commands.length > 0) yield* sendCommands(address, connection, commands, refused)
        continue
      }
      const due = refused.due(time.monotonicMillis())
      if (due.length > 0) yield* sendCommands(address, connection, due, refused)
      yield* Effect.logDebug(`LOOKUPD(${address}): sending heartbeat`)
      // Any reply to PING counts as alive.
      yield* connection.request([{ _tag: "PING" }])
      nextPing += pingMillis
    }
  })

  const logFailure = (address: string) => ({ message }: LookupError) =>
    Effect.logError(`LOOKUPD(${address}): ${message}`)

  /** One connection from start to end. Fails if it ends within one ping interval, so that the backoff continues. */
  const connect = Effect.fnUntraced(function*(
    address: string,
    refused: RefusedRegistrations
  ): Effect.fn.Return<void, LookupError, Scope.Scope> {
    yield* Effect.addFinalizer(() => Effect.sync(() => known.note(address, undefined)))
    yield* Effect.logInfo(`LOOKUP connecting to ${address}`)
    const { maxBodySize } = yield* runtime.current
    const connection = yield* Effect.provideService(LookupConnection.open(address, maxBodySize), Transport, transport)
    const identity = yield* identify(address, connection)
    known.note(address, identity)
    // Subscribes before it lists what exists, so that nothing created meanwhile is missed.
    const events = yield* PubSub.subscribe(broker.topology)
    const offered = broker.topics().filter(({ name }) => broker.drain.isOffered(name))
    const registrations = refused.withoutWaiting(offered.flatMap(registrationsOf))
    yield* sendCommands(address, connection, registrations, refused)
    const begun = time.monotonicMillis()
    yield* Effect.catch(
      serve(address, connection, events, refused),
      // A connection that fails before its first ping counts as a failed attempt.
      (error) => time.monotonicMillis() - begun < pingMillis ? Effect.fail(error) : logFailure(address)(error)
    )
  })

  const keepConnected = (address: string): Effect.Effect<never> => {
    // Outlives the connection: if nsqlookupd closes it after a refusal, the registration must not be retried at once.
    const refused = new RefusedRegistrations()
    return Effect.scoped(connect(address, refused)).pipe(
      Effect.tapError(logFailure(address)),
      Effect.retry(backoff),
      Effect.ignore,
      Effect.catchDefect((defect) => Effect.logError(`LOOKUPD(${address}): connection closed by a defect`, defect)),
      Effect.andThen(Effect.sleep(pause)),
      Effect.forever
    )
  }

  const peers = yield* FiberMap.make<string, never>()
  const addresses = new Set<string>()

  const add = Effect.fnUntraced(function*(address: string) {
    addresses.add(address)
    known.add(address)
    yield* Effect.logInfo(`LOOKUP(${address}): adding peer`)
    yield* FiberMap.run(peers, address, keepConnected(address))
  })

  const remove = Effect.fnUntraced(function*(address: string) {
    addresses.delete(address)
    known.remove(address)
    yield* Effect.logInfo(`LOOKUP(${address}): removing peer`)
    yield* FiberMap.remove(peers, address)
  })

  const configure = Effect.fnUntraced(function*({ lookupdTcpAddresses }: NsqdOptions) {
    const wanted = new Set(lookupdTcpAddresses)
    yield* Effect.forEach(Array.from(addresses).filter((address) => !wanted.has(address)), remove, { discard: true })
    yield* Effect.forEach(Array.from(wanted).filter((address) => !addresses.has(address)), add, { discard: true })
  })

  yield* Effect.addFinalizer(() => Effect.logInfo("LOOKUP: closing"))
  yield* Effect.forkScoped(Stream.runForEach(runtime.changes, configure))
})

/** Registers the broker's topics and channels with the configured nsqlookupds until the Scope closes. */
export const layer: Layer.Layer<never, never, Broker | RuntimeOptions | KnownLookupds | Transport> = Layer
  .effectDiscard(
    make
  )
