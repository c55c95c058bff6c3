import { useAtomValue } from "@effect/atom-react"
import type { DaemonState } from "../../protocol/http/admin/AdminLive.ts"
import { Badge } from "../components/Badge.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { Table } from "../components/Table.tsx"
import { Waiting } from "../components/Waiting.tsx"
import * as Daemons from "../core/daemons.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { liveAtom } from "../live/live.ts"

const State = ({ daemon: { error, reachable } }: { readonly daemon: DaemonState }) => {
  if (!reachable) return <Badge kind="error">unreachable</Badge>
  return error === "" ? <Badge kind="good">healthy</Badge> : <Badge kind="warning">degraded</Badge>
}

/** The page of the daemons and their states. */
export const DaemonsPage = () => {
  const { at, daemons } = useAtomValue(liveAtom)
  const gone = daemons.filter(({ reachable }) => !reachable)
  return (
    <>
      <h1>Daemons</h1>
      {at === 0 ? <Waiting /> : gone.length === 0
        ? <Notice kind="success">All {daemons.length} daemons are reachable.</Notice>
        : <Notice kind="error">{gone.length} of {Format.quantity(daemons.length, "daemon")} unreachable.</Notice>}
      <Table<DaemonState>
        caption="Daemons of the cluster"
        empty="No daemons"
        rows={[...gone, ...daemons.filter(({ reachable }) => reachable)].map((daemon) => [
          `${daemon.kind} ${daemon.address}`,
          daemon
        ])}
        columns={[
          {
            name: "Address",
            cell: ({ address, kind }) => kind === "nsqd" ? <Link to={Route.node(address)}>{address}</Link> : address
          },
          { name: "Daemon", cell: ({ kind }) => kind },
          { name: "State", cell: (daemon) => <State daemon={daemon} /> },
          {
            name: "Since",
            wide: true,
            cell: (daemon) => (
              <span className="whole">
                {daemon.reachable ? Format.since(daemon.since, at) : Daemons.silence(daemon, at)}
              </span>
            )
          },
          daemons.some(({ error }) => error !== "")
            ? { name: "Error", wide: true, cell: ({ error }) => error }
            : undefined,
          { name: "Hostname", cell: ({ hostname }) => hostname },
          { name: "Version", cell: ({ version }) => version }
        ]}
      />
    </>
  )
}
