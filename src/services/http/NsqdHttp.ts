/**
 * nsqd's HTTP API: puts the endpoints together and serves them on the configured addresses. Publishing is handled in Node's own
 * callback (`Publish`), everything else by a fiber per request (`Router` and the routes).
 */
import { Clock, Context, Duration, Effect, FiberSet, Layer, type Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Broker } from "../broker/Broker.ts"
import type { Clients } from "../broker/Clients.ts"
import type { Publisher } from "../broker/Publisher.ts"
import type { Lifecycle } from "../Lifecycle.ts"
import { ListenAddresses } from "../ListenAddresses.ts"
import { LogThreshold } from "../logging/LogThreshold.ts"
import * as GoDuration from "../options/GoDuration.ts"
import { isPlainHttpRefused, NsqdOptions } from "../options/NsqdOptions.ts"
import type { RuntimeOptions } from "../options/RuntimeOptions.ts"
import type { Storage } from "../storage/Storage.ts"
import { ServerTls } from "../transport/ServerTls.ts"
import { joinAddress, type Listener, type ListenError } from "../transport/Transport.ts"
import * as ChannelRoutes from "./ChannelRoutes.ts"
import * as ConfigRoutes from "./ConfigRoutes.ts"
import * as DebugRoutes from "./DebugRoutes.ts"
import * as HttpResponse from "./HttpResponse.ts"
import * as HttpServer from "./HttpServer.ts"
import * as InfoRoutes from "./InfoRoutes.ts"
import * as MetricsRoutes from "./MetricsRoutes.ts"
import * as OldApi from "./OldApi.ts"
import { ProcessMemory } from "./ProcessMemory.ts"
import * as Publish from "./Publish.ts"
import * as RequestBody from "./RequestBody.ts"
import * as RequestTarget from "./RequestTarget.ts"
import * as Router from "./Router.ts"
import * as StatsRoutes from "./StatsRoutes.ts"
import * as TopicRoutes from "./TopicRoutes.ts"

/** Bodies that nobody reads are taken in up to this size, so that the connection can be used again. */
const maxDiscardedBytes = 256 * 1024

/** What the API works on. */
export type Services = Broker | Publisher | Clients | Storage | RuntimeOptions | ListenAddresses | Lifecycle

const remoteAddress = ({ socket }: IncomingMessage): string =>
  socket.remoteAddress === undefined
    ? "@"
    : joinAddress(socket.remoteAddress.replace(/^::ffff:/, ""), socket.remotePort ?? 0)

const allRoutes = Effect.gen(function*() {
  const groups = yield* Effect.all([
    InfoRoutes.make,
    StatsRoutes.make,
    MetricsRoutes.make,
    TopicRoutes.make,
    ChannelRoutes.make,
    ConfigRoutes.make,
    DebugRoutes.make
  ])
  const routes = groups.flat()
  // Known here for the sake of other methods; POST does not come this way.
  const publishing = ["/pub", "/mpub"].map((path) =>
    Router.route("POST", path, () => Effect.die("invariant: publishing does not pass the router"))
  )
  return [...routes, ...publishing, ...OldApi.make(routes)]
})

/** Carries out one request by the routes and answers it. */
const makeResponder = Effect.gen(function*() {
  const router = Router.make(yield* allRoutes)
  const threshold = yield* LogThreshold

  const answerTo = (request: Omit<Router.HttpRequest, "parameter">) =>
    Effect.suspend(() => {
      const found = router(request.incoming.method ?? "", request.target)
      if (found._tag === "Answer") return Effect.succeed({ response: found.response, logged: found.logged })
      const { parameter, route } = found
      return route.handle({ ...request, parameter }).pipe(
        Effect.catchTag("HttpFailure", ({ response }) => Effect.succeed(response)),
        Effect.map((response) => ({ response, logged: route.logged }))
      )
    }).pipe(
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError(`${request.incoming.method} ${request.incoming.url} failed`, defect),
          { response: HttpResponse.internalError, logged: true }
        )
      )
    )

  const reply = (incoming: IncomingMessage, outgoing: ServerResponse, response: HttpResponse.HttpResponse) => {
    const unwanted = !incoming.complete &&
      (incoming.headers.expect !== undefined || RequestBody.announcesMore(incoming, maxDiscardedBytes))
    return unwanted
      ? RequestBody.answerUnread(incoming, outgoing, response)
      : Effect.sync(() => HttpResponse.send(outgoing, response))
  }

  return Effect.fnUntraced(
    function*(incoming: IncomingMessage, outgoing: ServerResponse, target: RequestTarget.RequestTarget) {
      const started = yield* Clock.monotonicTimeNanos
      const { logged, response } = yield* answerTo({ target, incoming, outgoing })
      if (logged && threshold.allows("info")) {
        const elapsed = GoDuration.format(Duration.nanos((yield* Clock.monotonicTimeNanos) - started))
        const line = `${response.status} ${incoming.method} ${incoming.url} (${remoteAddress(incoming)}) ${elapsed}`
        yield* Effect.logInfo(line)
      }
      yield* reply(incoming, outgoing, response)
    }
  )
})

/** The API as a callback for servers, plain or encrypted, and what completes when none of its handlers is at work. */
const makeHandler: Effect.Effect<
  Pick<HttpServer.ServerSettings, "onRequest" | "quiet">,
  never,
  Services | ProcessMemory | Scope.Scope
> = Effect.gen(function*() {
  const publish = yield* Publish.make
  const respond = yield* makeResponder
  const handlers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(handlers)()
  const runFork = (effect: Effect.Effect<void>): void => void fork(effect)
  const understand = RequestTarget.cached((target) => ({ target, publish: publish.target(target) }))
  return {
    quiet: FiberSet.awaitEmpty(handlers),
    onRequest: (incoming, outgoing) => {
      const understood = understand(incoming.url ?? "/")
      if (understood.publish !== undefined && incoming.method === "POST") {
        publish.handle(understood.publish, incoming, outgoing, runFork)
      } else {
        runFork(respond(incoming, outgoing, understood.target))
      }
    }
  }
})

/** Plain HTTP where TLS is required: the answer says where to go, whatever the request. */
const tlsRequired =
  (addresses: ListenAddresses["Service"]): HttpServer.ServerSettings["onRequest"] => (incoming, outgoing) => {
    HttpResponse.send(outgoing, HttpResponse.tlsRequired(addresses.httpsPort))
    // What else the client sends is of no interest.
    if (!incoming.complete) outgoing.once("finish", () => incoming.socket.destroySoon())
  }

/** nsqd's HTTP listeners. */
export class NsqdHttp extends Context.Service<NsqdHttp, {
  /** The real port; -1 for a unix socket, 0 when HTTP is off. */
  readonly port: number
  /** The real port; 0 when HTTPS is off. */
  readonly httpsPort: number
  /** Fails when nothing can be accepted any more. */
  readonly broken: Effect.Effect<never, ListenError>
}>()("effect-nsq/http/NsqdHttp") {
  /**
   * Serves the API until its Scope closes: over HTTP unless the address is empty, and over HTTPS if there is a certificate
   * and an address for it.
   */
  static readonly layer: Layer.Layer<NsqdHttp, ListenError, Services> = Layer.effect(
    NsqdHttp,
    Effect.gen(function*() {
      const options = yield* NsqdOptions
      const tls = yield* ServerTls
      const addresses = yield* ListenAddresses
      const { onRequest, quiet } = yield* makeHandler
      const listeners: Array<Listener> = []
      if (options.httpAddress !== "") {
        const plain = isPlainHttpRefused(options) ? tlsRequired(addresses) : onRequest
        const settings = { name: "HTTP", address: options.httpAddress, onRequest: plain, quiet }
        const listener = yield* HttpServer.listen(settings)
        listeners.push(listener)
        addresses.httpPort = listener.port
      }
      if (tls !== undefined && options.httpsAddress !== "") {
        const settings = { name: "HTTPS", address: options.httpsAddress, onRequest, quiet, tls }
        const listener = yield* HttpServer.listen(settings)
        listeners.push(listener)
        addresses.httpsPort = listener.port
      }
      const broken = Effect.raceAllFirst([Effect.never, ...listeners.map((listener) => listener.broken)])
      return { port: addresses.httpPort, httpsPort: addresses.httpsPort, broken }
    })
  ).pipe(Layer.provide(ProcessMemory.layer))
}
