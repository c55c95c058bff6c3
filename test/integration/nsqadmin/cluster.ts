/** A real cluster in this process: nsqlookupds, nsqds and an nsqadmin. A stopped daemon leaves its ports to no other process. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Duration, Effect, Exit, FileSystem, Layer, Option, Schedule, Schema, Scope } from "effect"
import { Lookup, Nodes } from "../../../src/protocol/http/LookupResponse.ts"
import { Stats } from "../../../src/protocol/http/StatsResponse.ts"
import { LogOutput } from "../../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../../src/services/logging/NsqLogger.ts"
import { Nsqadmin } from "../../../src/services/nsqadmin/Nsqadmin.ts"
import type { NsqadminOptions } from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import { Nsqd } from "../../../src/services/nsqd/Nsqd.ts"
import type { NsqdOptions } from "../../../src/services/nsqd/options/NsqdOptions.ts"
import { Nsqlookupd } from "../../../src/services/nsqlookupd/Nsqlookupd.ts"
import { fixedPort } from "../../services/net/fixedPort.ts"

const here = "127.0.0.1"
const anyAddress = Effect.map(fixedPort, (port) => `${here}:${port}`)

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1))

interface Daemon {
  /** `host:port` of its HTTP API. */
  readonly http: string
  readonly tcp: string
  /** The log lines so far, without those of level debug. */
  readonly log: ReadonlyArray<string>
  /** Stops the daemon before the test ends. */
  readonly stop: Effect.Effect<void>
  readonly get: (path: string) => Effect.Effect<Reply>
  readonly post: (path: string, body?: string) => Effect.Effect<Reply>
}

interface Reply {
  readonly status: number
  readonly text: string
}

export const request = (url: string, options: RequestInit = {}): Effect.Effect<Reply> =>
  Effect.promise(async () => {
    const response = await fetch(url, options)
    return { status: response.status, text: await response.text() }
  })

/** Decodes a response of a daemon. */
const decoded = <A, I>(
  schema: Schema.Codec<A, I>,
  response: Effect.Effect<Reply>
): Effect.Effect<A, Schema.SchemaError> =>
  Effect.flatMap(response, ({ text }) => Schema.decodeEffect(Schema.fromJsonString(schema))(text))

/** Builds a Layer in a child Scope, which closes with the test's Scope or earlier. */
const startIn = Effect.fnUntraced(function*<A, E>(layer: Layer.Layer<A, E>) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const log: Array<string> = []
  const logging = NsqLogger.layer({ level: "info", prefix: "", format: "nsq" }).pipe(
    Layer.provide(Layer.succeed(LogOutput, { write: (line) => void log.push(line) }))
  )
  const context = yield* Layer.buildWithScope(Layer.provide(layer, logging), scope).pipe(Effect.orDie)
  return { context, log, stop: Scope.close(scope, Exit.void) }
})

const daemon = (http: string, tcp: string, { log, stop }: Pick<Daemon, "log" | "stop">): Daemon => ({
  http,
  tcp,
  log,
  stop,
  get: (path) => request(`http://${http}${path}`),
  post: (path, body = "") => request(`http://${http}${path}`, { method: "POST", body })
})

export const startLookupd = Effect.gen(function*() {
  const started = yield* startIn(
    Nsqlookupd.layerWith({ tcpAddress: yield* anyAddress, httpAddress: yield* anyAddress, broadcastAddress: here })
  )
  const { httpAddress, tcpAddress } = Context.get(started.context, Nsqlookupd)
  return daemon(`${here}:${portOf(httpAddress)}`, `${here}:${portOf(tcpAddress)}`, started)
})

export const startNsqd = Effect.fnUntraced(function*(
  lookupds: ReadonlyArray<Daemon>,
  options: Partial<NsqdOptions> = {}
) {
  const dataPath = yield* FileSystem.FileSystem.pipe(
    Effect.flatMap((files) => files.makeTempDirectoryScoped()),
    Effect.provide(NodeServices.layer),
    Effect.orDie
  )
  const started = yield* startIn(Nsqd.layerWith({
    tcpAddress: yield* anyAddress,
    httpAddress: yield* anyAddress,
    broadcastAddress: here,
    dataPath,
    lookupdTcpAddresses: lookupds.map(({ tcp }) => tcp),
    ...options
  }))
  const { httpPort, tcpPort } = Context.get(started.context, Nsqd)
  return daemon(`${here}:${httpPort}`, `${here}:${tcpPort}`, started)
})

/** Starts an nsqadmin and returns its URL, its log lines so far, and an effect that stops it. */
export const startAdmin = Effect.fnUntraced(function*(options: Partial<NsqadminOptions>) {
  const httpAddress = yield* anyAddress
  const { context, log, stop } = yield* startIn(
    // The machine of the test may be full.
    Nsqadmin.layerWith({ httpAddress, sampleInterval: Duration.millis(100), warnDiskPercent: 0, ...options })
  )
  return { url: `http://${here}:${portOf(Context.get(context, Nsqadmin).httpAddress)}`, log, stop }
})

/** Repeats a query until its result satisfies the predicate. Dies after a minute, with the predicate and the last result. */
export const until = <A>(state: Effect.Effect<A>, isRight: (now: A) => boolean): Effect.Effect<A> =>
  Effect.suspend(() => {
    let last: A | undefined
    return Effect.tap(state, (now) => Effect.sync(() => void (last = now))).pipe(
      Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: isRight }),
      Effect.timeoutOrElse({
        duration: "1 minute",
        orElse: () =>
          Effect.die(
            new Error(`did not become true within a minute: ${isRight}; last result: ${JSON.stringify(last)}`)
          )
      })
    )
  })

/** Starts two nsqlookupds, two nsqds and an nsqadmin. */
export const startCluster = Effect.fnUntraced(function*(
  options: Partial<NsqadminOptions> = {},
  nsqdOptions: Partial<NsqdOptions> = {}
) {
  const lookupds = yield* Effect.all([startLookupd, startLookupd])
  const nsqds = yield* Effect.all([startNsqd(lookupds, nsqdOptions), startNsqd(lookupds, nsqdOptions)])
  yield* Effect.forEach(
    lookupds,
    (lookupd) =>
      until(Effect.orDie(decoded(Nodes, lookupd.get("/nodes"))), ({ producers }) => producers.length === nsqds.length)
  )
  const admin = yield* startAdmin({ lookupdHttpAddresses: lookupds.map(({ http }) => http), ...options })

  /** Creates a topic and channels on each nsqd, and waits until each nsqlookupd lists them. */
  const create = Effect.fnUntraced(function*(topic: string, ...channels: ReadonlyArray<string>) {
    const name = encodeURIComponent(topic)
    for (const nsqd of nsqds) {
      yield* nsqd.post(`/topic/create?topic=${name}`)
      for (const channel of channels) {
        yield* nsqd.post(`/channel/create?topic=${name}&channel=${encodeURIComponent(channel)}`)
      }
    }
    for (const lookupd of lookupds) {
      yield* until(
        Effect.option(decoded(Lookup, lookupd.get(`/lookup?topic=${name}`))),
        (found) =>
          Option.isSome(found) && found.value.producers.length === nsqds.length &&
          found.value.channels.length === channels.length
      )
    }
  })

  /** Returns the state of a topic on an nsqd; undefined if it does not exist. */
  const topicOn = (nsqd: Daemon, topic: string) =>
    Effect.map(
      Effect.orDie(decoded(Stats, nsqd.get(`/stats?format=json&topic=${encodeURIComponent(topic)}`))),
      ({ topics }) => topics?.[0]
    )

  return { lookupds, nsqds, admin, create, topicOn }
})
