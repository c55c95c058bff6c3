/**
 * nsqd's connections to the nsqlookupds (section 6 of the nsqlookupd notes): a fiber for each keeps one connection alive,
 * tells everything anew after it was lost, passes on what the broker creates and deletes, and pings. Which nsqlookupds there
 * are can change at any time. Nothing that happens to one of them has an effect on another, or on messages.
 */
import { Effect, FiberMap, Layer, PubSub, Schedule, type Scope, Stream } from "effect"
import type { LookupCommand } from "../../protocol/LookupCommand.ts"
import { decodeLookupd, type LookupdIdentity, type ProducerIdentity } from "../../protocol/LookupIdentity.ts"
import { Broker } from "../broker/Broker.ts"
import * as Time from "../broker/Time.ts"
import type { Topic } from "../broker/Topic.ts"
import type { TopologyEvent } from "../broker/Topology.ts"
import * as NodeId from "../options/NodeId.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { RuntimeOptions } from "../options/RuntimeOptions.ts"
import { version } from "../options/Version.ts"
import { Transport } from "../transport/Transport.ts"
import { KnownLookupds } from "./KnownLookupds.ts"
import * as LookupConnection from "./LookupConnection.ts"

const pingMillis = 15_000

/** Between two attempts to connect. NSQ's nsqd tries again with the next ping or the next change of its topics. */
const backoff = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("10 seconds")])
  .pipe(Schedule.jittered)

/** After a connection that worked was lost. */
const pause = "250 millis"

const commandOf = (event: TopologyEvent): LookupCommand => {
  switch (event._tag) {
    case "TopicCreated":
      return { _tag: "REGISTER", topic: event.topic, channel: undefined }
    case "ChannelCreated":
      return { _tag: "REGISTER", topic: event.topic, channel: event.channel }
    case "TopicDeleted":
      return { _tag: "UNREGISTER", topic: event.topic, channel: undefined }
    case "ChannelDeleted":
      return { _tag: "UNREGISTER", topic: event.topic, channel: event.channel }
  }
}

/** A topic is registered by its channels, by itself when it has none. */
const registrationsOf = ({ channels, name }: Topic): ReadonlyArray<LookupCommand> =>
  channels.length === 0
    ? [{ _tag: "REGISTER", topic: name, channel: undefined }]
    : channels.map((channel) => ({ _tag: "REGISTER", topic: name, channel: channel.name }))

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

/** What a peer said, not more of it than a line of the log can take. */
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

  /** Sends commands that are answered by OK and nothing else. */
  const tell = Effect.fnUntraced(function*(
    address: string,
    connection: LookupConnection.LookupConnection,
    commands: ReadonlyArray<LookupCommand>
  ) {
    for (const command of commands) yield* Effect.logInfo(`LOOKUPD(${address}): ${describe(command)}`)
    const answers = yield* connection.ask(commands)
    const refused = answers.findIndex((answer) => answer !== "OK")
    const command = commands[refused]
    if (command === undefined) return
    return yield* new LookupConnection.LookupError({
      reason: `${describe(command)} - lookupd returned ${excerpt(answers[refused] ?? "")}`
    })
  })

  const introduce = Effect.fnUntraced(function*(address: string, connection: LookupConnection.LookupConnection) {
    const [answer = ""] = yield* connection.ask([{ _tag: "IDENTIFY", producer: identityOf(yield* runtime.current) }])
    const identity = decodeLookupd(answer)
    if (identity === undefined) {
      const reason = answer.startsWith("E_") ? "lookupd returned" : "parsing response -"
      return yield* new LookupConnection.LookupError({ reason: `${reason} ${excerpt(answer)}` })
    }
    yield* Effect.logInfo(`LOOKUPD(${address}): peer info ${infoText(identity)}`)
    if (identity.broadcast_address === "") yield* Effect.logError(`LOOKUPD(${address}): no broadcast address`)
    return identity
  })

  /** Pings, and passes on what changes, until the connection is of no use any more. */
  const serve = Effect.fnUntraced(function*(
    address: string,
    connection: LookupConnection.LookupConnection,
    events: PubSub.Subscription<TopologyEvent>
  ) {
    let nextPing = time.monotonicMillis() + pingMillis
    while (true) {
      const wait = Effect.as(Effect.sleep(Math.max(0, nextPing - time.monotonicMillis())), [])
      const changed = yield* Effect.raceAllFirst([PubSub.takeAll(events), wait, connection.ended])
      if (changed.length > 0) {
        yield* tell(address, connection, changed.map(commandOf))
        continue
      }
      yield* Effect.logDebug(`LOOKUPD(${address}): sending heartbeat`)
      // Whoever answers a ping by anything at all is alive.
      yield* connection.ask([{ _tag: "PING" }])
      nextPing += pingMillis
    }
  })

  const logFailure = (address: string) => ({ message }: LookupConnection.LookupError) =>
    Effect.logError(`LOOKUPD(${address}): ${message}`)

  /** One connection, from its beginning to its end; fails only when it does not come to serve. */
  const connect = Effect.fnUntraced(function*(
    address: string
  ): Effect.fn.Return<void, LookupConnection.LookupError, Scope.Scope> {
    yield* Effect.addFinalizer(() => Effect.sync(() => known.note(address, undefined)))
    yield* Effect.logInfo(`LOOKUP connecting to ${address}`)
    const { maxBodySize } = yield* runtime.current
    const connection = yield* Effect.provideService(LookupConnection.open(address, maxBodySize), Transport, transport)
    const identity = yield* introduce(address, connection)
    known.note(address, identity)
    // What is created from here on comes as an event, what there is already is told now.
    const events = yield* PubSub.subscribe(broker.topology)
    yield* tell(address, connection, broker.topics().flatMap(registrationsOf))
    yield* Effect.catch(serve(address, connection, events), logFailure(address))
  })

  const keepConnected = (address: string): Effect.Effect<never> =>
    Effect.scoped(connect(address)).pipe(
      Effect.tapError(logFailure(address)),
      Effect.retry(backoff),
      Effect.ignore,
      Effect.catchDefect((defect) => Effect.logError(`LOOKUPD(${address}): connection closed by a defect`, defect)),
      Effect.andThen(Effect.sleep(pause)),
      Effect.forever
    )

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

/** Keeps the broker registered until the Scope closes. */
export const layer: Layer.Layer<never, never, Broker | RuntimeOptions | KnownLookupds | Transport> = Layer
  .effectDiscard(
    make
  )
