/**
 * `/clients` and `/client/close` (docs/protocol/http.md#clients): the connections with all that they have negotiated, and the end of one.
 */
import { Effect, type Scope } from "effect"
import type { Connection } from "../../../protocol/http/ClientsResponse.ts"
import * as Arguments from "../../http/Arguments.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import * as StreamedResponse from "../../http/StreamedResponse.ts"
import { Broker } from "../broker/Broker.ts"
import { type Client, Clients } from "../broker/Clients.ts"
import { clientJson } from "../stats/StatsJson.ts"

/** What a client consumes. */
interface Consumed {
  readonly topic: string
  readonly channel: string
}

/** The requested clients. An empty string is any. */
interface Filter extends Consumed {
  /** The peer's `host:port`. */
  readonly address: string
}

const nothing: Consumed = { topic: "", channel: "" }

const connectionOf = (client: Client, { channel, topic }: Consumed): Connection => {
  const settings = client.settings()
  const figures = clientJson(client, topic)
  return {
    ...figures,
    pub_counts: Array.from(client.stats().published, ([topic, count]) => ({ topic, count })),
    topic_name: topic,
    channel_name: channel,
    heartbeat_interval: settings.heartbeatInterval,
    msg_timeout: settings.msgTimeout,
    output_buffer_size: settings.outputBufferSize,
    output_buffer_timeout: settings.outputBufferTimeout,
    deflate_level: figures.deflate ? settings.deflateLevel : 0
  }
}

/** Whether the client has to do with the topic: consumes it, or has published to it. */
const isWanted = (client: Client, consumed: Consumed, { address, channel, topic }: Filter): boolean => {
  const { published, remoteAddress } = client.stats()
  if (address !== "" && remoteAddress !== address) return false
  if (topic === "") return true
  if (consumed.topic === topic && (channel === "" || consumed.channel === channel)) return true
  return channel === "" && published.has(topic)
}

/** The document in pieces: a step for each client. */
function* pieces(
  broker: Broker["Service"],
  clients: Clients["Service"],
  filter: Filter
): Generator<string, void> {
  const consumed = new Map<unknown, Consumed>()
  for (const topic of broker.topics()) {
    for (const channel of topic.channels) {
      for (const { consumer } of channel.subscriptions) {
        consumed.set(consumer, { topic: topic.name, channel: channel.name })
      }
    }
  }
  let open = `{"clients":[`
  for (const client of Array.from(clients.all())) {
    const its = consumed.get(client) ?? nothing
    if (!isWanted(client, its, filter)) continue
    yield open + HttpResponse.encodeJson(connectionOf(client, its))
    open = ","
  }
  yield open === "," ? "]}" : `${open}]}`
}

/** The endpoints, for the services of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker | Clients | Scope.Scope> = Effect.gen(function*() {
  const broker = yield* Broker
  const clients = yield* Clients
  const stream = yield* StreamedResponse.make

  const list = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const query = yield* Arguments.query(target)
    const [topic = "", channel = "", address = ""] = ["topic", "channel", "address"].map((name) => query.get(name))
    return yield* stream(pieces(broker, clients, { topic, channel, address }))
  })

  const close = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const query = yield* Arguments.query(target)
    const address = query.get("address")
    if (address === undefined) return yield* HttpResponse.fail(400, "MISSING_ARG_ADDRESS")
    const [client, ...others] = Array.from(clients.all()).filter((one) => one.stats().remoteAddress === address)
    if (client === undefined) return yield* HttpResponse.fail(404, "CLIENT_NOT_FOUND")
    // Clients of a Unix socket have no address of their own.
    if (others.length > 0) {
      return yield* HttpResponse.fail(409, `AMBIGUOUS_ADDRESS: ${others.length + 1} clients have it`)
    }
    yield* Effect.logInfo(`client(${address}) - closed by request`)
    client.close()
    return HttpResponse.empty
  })

  return [route("GET", "/clients", list), route("POST", "/client/close", close)]
})
