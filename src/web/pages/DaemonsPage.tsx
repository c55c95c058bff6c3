import { useAtomValue } from "@effect/atom-react"
import type { DaemonState } from "../../protocol/http/admin/AdminLive.ts"
import { Badge } from "../components/Badge.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { Table } from "../components/Table.tsx"
import { Waiting } from "../components/Waiting.tsx"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { liveAtom } from "../live/live.ts"

const State = ({ daemon: { error, reachable } }: { readonly daemon: DaemonState }) => {
  if (!reachable) return <Badge kind="error">cannot be reached</Badge>
  return error === "" ? <Badge kind="good">answers</Badge> : <Badge kind="warning">answers, with trouble</Badge>
}

export const DaemonsPage = () => {
  const { at, daemons } = useAtomValue(liveAtom)
  const gone = daemons.filter(({ reachable }) => !reachable)
  return (
    <>
      <h1>Daemons</h1>
      {at === 0 ? <Waiting /> : gone.length === 0
        ? <Notice kind="success">All {daemons.length} daemons answer.</Notice>
        : <Notice kind="error">{Format.quantity(gone.length, "daemon")} of {daemons.length} cannot be reached.</Notice>}
      <Table<DaemonState>
        caption="Daemons of the cluster"
        empty="None is known"
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
          { name: "Since", cell: ({ since }) => Format.ago(since, at) },
          { name: "What it said", wide: true, cell: ({ error }) => error },
          { name: "Hostname", cell: ({ hostname }) => hostname },
          { name: "Version", cell: ({ version }) => version }
        ]}
      />
    </>
  )
}
