import { useAtomValue } from "@effect/atom-react"
import type { ConnectionOnNode } from "../../protocol/http/admin/AdminClients.ts"
import { Actions } from "../components/Actions.tsx"
import { Badge } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { Identity, nameOf, timeoutsOf } from "../components/clientWords.tsx"
import { Figures, Properties } from "../components/Figures.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { Table } from "../components/Table.tsx"
import { useRates } from "../components/useRates.ts"
import { useCloseClient } from "../core/act.ts"
import { AdminClient } from "../core/api.ts"
import { keyOf } from "../core/clientRates.ts"
import * as Format from "../core/format.ts"
import { goTo } from "../core/navigation.ts"
import type { Figure } from "../core/nodeFigures.ts"
import * as Route from "../core/route.ts"
import { liveAtom } from "../live/live.ts"

/** NSQ's nsqd reports less. */
const isReported = (value: number | null): value is number => value !== null

const millis = (value: number | null): string | undefined =>
  isReported(value) ? Format.nanoseconds(value * 1e6) : undefined

const heartbeat = (value: number | null): string | undefined => value === 0 ? "off" : millis(value)

const yes = (is: boolean, text: string): string => is ? text : "no"

const tlsOf = ({ tls, tls_cipher_suite, tls_version }: ConnectionOnNode): string =>
  yes(tls, [tls_version || "TLS", tls_cipher_suite].filter((part) => part !== "").join(", "))

const compressionOf = ({ deflate, deflate_level, snappy }: ConnectionOnNode): string => {
  if (snappy) return "Snappy"
  if (!deflate) return "none"
  return isReported(deflate_level) ? `Deflate, level ${deflate_level}` : "Deflate"
}

const stateOf = ({ channel_name, pub_counts, state }: ConnectionOnNode): string => {
  if (state === 4) return "closing: it has sent CLS"
  if (channel_name !== "") return "consuming"
  return pub_counts.length > 0 ? "publishing" : "connected"
}

/** The figures of a consumer. */
const figuresOf = (
  client: ConnectionOnNode,
  rateOf: (count: (client: ConnectionOnNode) => number) => number | null
): ReadonlyArray<Figure> => {
  const counted = (name: string, count: (client: ConnectionOnNode) => number): Figure => ({
    name,
    value: Format.perSecond(rateOf(count)),
    more: `${Format.count(count(client))} since it connected`
  })
  return [
    {
      name: "In flight",
      value: Format.count(client.in_flight_count),
      more: `ready for ${Format.count(client.ready_count)} (RDY)`,
      ...(client.ready_count > 0 ? { share: Math.min(1, client.in_flight_count / client.ready_count) } : {})
    },
    counted("Received", (one) => one.message_count),
    counted("Finished", (one) => one.finish_count),
    counted("Requeued", (one) => one.requeue_count),
    counted("Timed out", timeoutsOf)
  ]
}

const Published = ({ client, rateOf }: {
  readonly client: ConnectionOnNode
  readonly rateOf: (count: (client: ConnectionOnNode) => number) => number | null
}) => (
  <Table<ConnectionOnNode["pub_counts"][number]>
    caption="Published"
    empty="The client has not published."
    rows={client.pub_counts.toSorted((a, b) => b.count - a.count).map((one) => [one.topic, one])}
    columns={[
      { name: "Topic", cell: ({ topic }) => <Link to={Route.topic(topic)}>{topic}</Link> },
      {
        name: "Per second",
        numeric: true,
        cell: ({ topic }) =>
          Format.rate(rateOf((one) => one.pub_counts.find((found) => found.topic === topic)?.count ?? 0))
      },
      { name: "Since connected", numeric: true, cell: ({ count }) => Format.count(count) }
    ]}
  />
)

const Shown = ({ client, clients }: {
  readonly client: ConnectionOnNode
  readonly clients: ReadonlyArray<ConnectionOnNode>
}) => {
  const close = useCloseClient()
  const rates = useRates(clients)
  const rateOf = (count: (client: ConnectionOnNode) => number) => rates(keyOf(client), count)
  const { channel_name: channel, node, remote_address, topic_name: topic } = client
  const name = nameOf(client)
  const isOurs = isReported(client.heartbeat_interval)
  return (
    <>
      {isOurs && (
        <Actions
          label={`Actions on client ${name}`}
          actions={[{
            key: "close",
            label: "Close connection",
            question: `Close the connection of ${name} to ${node}?`,
            detail: (
              <p>
                The client sees the end of its connection, and will usually connect again. {client.in_flight_count === 0
                  ? "It holds no messages."
                  : `Its ${
                    Format.quantity(client.in_flight_count, "message")
                  } in flight return to the channel at once.`}
              </p>
            ),
            danger: true,
            run: () => close({ params: { node, client: remote_address } }),
            done: `The connection of ${name} has been closed.`,
            after: () => goTo(Route.node(node))
          }]}
        />
      )}
      {channel !== "" && <Figures label="Consumption" figures={figuresOf(client, rateOf)} />}
      <Properties
        caption="Connection"
        of={[
          ["State", stateOf(client)],
          [
            "Consumes",
            channel === "" ? undefined : <Link to={Route.channel(topic, channel)}>{topic} / {channel}</Link>
          ],
          ["nsqd", <Link to={Route.node(node)}>{node}</Link>],
          ["Remote address", remote_address],
          ["Connected", `since ${Format.since(client.connect_ts * 1000, Date.now())}`],
          [
            "Identity",
            client.authed === true
              ? <Identity authed name={client.auth_identity} url={client.auth_identity_url} />
              : undefined
          ]
        ]}
      />
      <Properties
        caption="Negotiated"
        of={[
          ["Client id", client.client_id],
          ["Host name", client.hostname],
          ["User agent", client.user_agent],
          ["Protocol", client.version],
          ["TLS", tlsOf(client)],
          ["Compression", compressionOf(client)],
          ["Sample rate", client.sample_rate === 0 ? "all messages" : `${client.sample_rate} %`],
          ["Message timeout", millis(client.msg_timeout)],
          ["Heartbeat interval", heartbeat(client.heartbeat_interval)],
          [
            "Output buffer",
            isReported(client.output_buffer_size)
              ? `${Format.bytes(client.output_buffer_size)}, ${millis(client.output_buffer_timeout) ?? ""}`
              : undefined
          ],
          ["Region", client.topology_region],
          ["Zone", client.topology_zone]
        ]}
      />
      {!isOurs && (
        <p className="muted">
          NSQ's nsqd reports neither timeouts and buffers nor more than one published topic, and cannot close a
          connection.
        </p>
      )}
      <Published client={client} rateOf={rateOf} />
    </>
  )
}

/** The page of a client's connection to an nsqd. */
export const ClientPage = ({ client, node }: { readonly node: string; readonly client: string }) => {
  const query = AdminClient.query("clients", "list", { query: { node, address: client } })
  const { daemons } = useAtomValue(liveAtom)
  const isAway = daemons.some(({ address, kind, reachable }) => kind === "nsqd" && address === node && !reachable)
  const gone = isAway
    ? (
      <Notice kind="error">
        The node <Link to={Route.node(node)}>{node}</Link>{" "}
        does not respond: whether the client is connected to it is not known.
      </Notice>
    )
    : (
      <Notice kind="info">
        The client is not connected to this node any more. See the other clients of{" "}
        <Link to={Route.node(node)}>{node}</Link>.
      </Notice>
    )
  return (
    <>
      <Breadcrumb way={[["Nodes", Route.nodes], [node, Route.node(node)]]} here={client} />
      <QueryResponse
        of={query}
        live
        whenMissing={
          <>
            <h1>Client {client}</h1>
            {gone}
          </>
        }
      >
        {({ clients }) => {
          const [found] = clients
          return (
            <>
              <h1>
                Client <span className="name">{found === undefined ? client : nameOf(found)}</span>{" "}
                {found?.state === 4 && <Badge kind="warning">closing</Badge>}
              </h1>
              {found === undefined ? gone : <Shown client={found} clients={clients} />}
            </>
          )
        }}
      </QueryResponse>
    </>
  )
}
