/**
 * HTTP over the network in memory: the listeners of daemons, and a client. Requests and responses pass `node:http` on both sides, as
 * over sockets. Limits of time that `node:http` keeps by itself have no effect; those of effect-nsq follow the TestClock.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Exit, Layer, Scope } from "effect"
import { HttpClient } from "effect/http"
import * as Http from "node:http"
import * as Https from "node:https"
import type { Duplex } from "node:stream"
import { type Bind, HttpBinding } from "../services/http/HttpBinding.ts"
import { Transport } from "../services/net/Transport.ts"
import { MemorySocket } from "./MemorySocket.ts"
import { MemoryNetwork, type Peer } from "./MemoryTransport.ts"

/** Lets HTTP servers listen on a Transport. */
const bindOn = (transport: Transport["Service"]): Bind =>
  Effect.fnUntraced(function*(server, address) {
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    return yield* transport.listen(address, (connection) =>
      Effect.callback<void>((resume) => {
        const ended = (): void => resume(Effect.void)
        const socket = new MemorySocket({
          remoteAddress: connection.remoteAddress,
          open: Effect.succeed({ connection, end: ended }),
          closed: ended,
          fork
        })
        server.emit("connection", socket)
        return Effect.sync(() => void socket.destroy())
      }))
  })

/**
 * HTTP servers of daemons listen on the Transport of the environment.
 *
 * @since 0.2.0
 * @category layers
 */
export const layerServer: Layer.Layer<never, never, Transport> = Layer.effect(
  HttpBinding,
  Effect.map(Transport, bindOn)
)

type Connect = (address: string) => Effect.Effect<Peer, Error, Scope.Scope>
/** Opens a connection for each request. */
class MemoryAgent extends Http.Agent {
  private readonly open: (address: string) => Duplex

  constructor(open: (address: string) => Duplex) {
    super({ keepAlive: false })
    this.open = open
  }

  override createConnection(options: Http.ClientRequestArgs): Duplex {
    return this.open(`${options.host}:${options.port}`)
  }
}

const refused = ({ message }: Error): Error => Object.assign(new Error(message), { code: "ECONNREFUSED" })

/**
 * Returns a client whose requests come from the machine that `connect` connects from, `MemoryNetwork.machine(name).connect`. Its
 * connections end when the Scope closes.
 *
 * @since 0.2.0
 * @category constructors
 */
export const makeClient = Effect.fnUntraced(function*(connect: Connect) {
  const scope = yield* Effect.scope
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const open = (address: string): Duplex => {
    const own = Scope.forkUnsafe(scope)
    return new MemorySocket({
      remoteAddress: address,
      open: Scope.provide(connect(address), own).pipe(
        Effect.map((connection) => ({ connection, end: connection.end })),
        Effect.mapError(refused)
      ),
      closed: () => void fork(Scope.close(own, Exit.void)),
      fork
    })
  }
  const agents = { http: new MemoryAgent(open), https: new Https.Agent() }
  const client = yield* Effect.provideService(NodeHttpClient.makeNodeHttp, NodeHttpClient.HttpAgent, agents)
  return HttpClient.transform(
    client,
    (effect) => Effect.provideService(effect, HttpClient.TracerDisabledWhen, () => true)
  )
})

/**
 * A client whose requests go over the network in memory, from `127.0.0.1`. Hosts are names of machines, without DNS; HTTPS is not
 * available.
 *
 * @since 0.2.0
 * @category layers
 */
export const layerClient: Layer.Layer<HttpClient.HttpClient, never, MemoryNetwork> = Layer.effect(
  HttpClient.HttpClient,
  MemoryNetwork.use(({ connect }) => makeClient(connect))
)
