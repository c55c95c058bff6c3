import type { Connection } from "../../protocol/http/ClientsResponse.ts"
import * as Route from "../core/route.ts"
import { Badge } from "./Badge.tsx"
import { Link } from "./Link.tsx"

/** The identity of a client, according to IDENTIFY, and its address. */
export type Identified =
  & Pick<Connection, "client_id" | "hostname" | "remote_address">
  & { readonly node: string }

const shortName = (hostname: string): string => hostname.split(".")[0] ?? hostname

/** Returns the name of a client: its host and port, and its id if that says more. */
export const nameOf = ({ client_id, hostname, remote_address }: Omit<Identified, "node">): string => {
  const host = hostname === "" ? remote_address : `${hostname}:${remote_address.split(":").at(-1)}`
  const isKnown = client_id === "" || client_id === shortName(hostname) || client_id === hostname
  return isKnown ? host : `${host} (${client_id})`
}

/** A link to the page of a client. */
export const ClientLink = ({ client }: { readonly client: Identified }) => (
  <span title={client.remote_address}>
    <Link to={Route.client(client.node, client.remote_address)}>{nameOf(client)}</Link>
  </span>
)

/** The identity URL comes from an auth server: only HTTP URLs become links, so that none can run a script. */
const isWebAddress = (url: string): boolean => /^https?:\/\//i.test(url)

/** The identity that the auth server gave a client; nothing without one. */
export const Identity = ({ authed = false, name = "", url = "" }: {
  readonly authed: boolean | undefined
  readonly name: string | undefined
  readonly url: string | undefined
}) => {
  if (!authed) return null
  const shown = name === "" ? "authorized" : name
  return (
    <Badge kind="good">
      {isWebAddress(url) ? <a href={url} rel="noreferrer noopener" target="_blank">{shown}</a> : shown}
    </Badge>
  )
}

/** Deliveries that a client has neither finished nor requeued: they timed out. */
export const timeoutsOf = (
  { finish_count, in_flight_count, message_count, requeue_count }: Pick<
    Connection,
    "finish_count" | "in_flight_count" | "message_count" | "requeue_count"
  >
): number => Math.max(0, message_count - finish_count - requeue_count - in_flight_count)
