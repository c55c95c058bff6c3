import { useAtomValue } from "@effect/atom-react"
import type { Warning } from "../../protocol/http/admin/AdminLive.ts"
import { Badge } from "../components/Badge.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { Table } from "../components/Table.tsx"
import { Waiting } from "../components/Waiting.tsx"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { liveAtom } from "../live/live.ts"

const names: { readonly [Kind in Warning["kind"]]: string } = {
  unconsumed_channel: "No consumers",
  topic_without_channels: "No channels",
  topic_without_producers: "No producers",
  paused_channel: "Channel paused",
  paused_topic: "Topic paused",
  daemon_gone: "Daemon unreachable",
  daemon_unhealthy: "Daemon degraded",
  versions_differ: "Versions differ"
}

const serious = new Set<Warning["kind"]>(["daemon_gone", "daemon_unhealthy", "unconsumed_channel"])

/** Sorts serious warnings first and keeps the server's order otherwise. */
const bySeverity = (a: Warning, b: Warning): number => Number(serious.has(b.kind)) - Number(serious.has(a.kind))

/** A link to the page where an operator can examine the subject. */
const Subject = ({ warning: { channel, kind, node, topic } }: { readonly warning: Warning }) => {
  if (channel !== "") return <Link to={Route.channel(topic, channel)}>{topic} / {channel}</Link>
  if (topic !== "") return <Link to={Route.topic(topic)}>{topic}</Link>
  if (node !== "") return <Link to={Route.node(node)}>{node}</Link>
  return kind === "versions_differ" ? <Link to={Route.nodes}>nodes</Link> : <Link to={Route.topics}>topics</Link>
}

/** The page of the warnings. */
export const WarningsPage = () => {
  const { at, warnings } = useAtomValue(liveAtom)
  return (
    <>
      <h1>Warnings</h1>
      {at === 0
        ? <Waiting />
        : warnings.length === 0
        ? <Notice kind="success">No warnings.</Notice>
        : (
          <Table<Warning>
            caption="Warnings of the cluster"
            rows={warnings.toSorted(bySeverity).map((warning) => [
              `${warning.kind} ${warning.topic} ${warning.channel} ${warning.node}`,
              warning
            ])}
            columns={[
              { name: "Subject", cell: (warning) => <Subject warning={warning} /> },
              {
                name: "Warning",
                cell: ({ kind }) => <Badge kind={serious.has(kind) ? "error" : "warning"}>{names[kind]}</Badge>
              },
              { name: "Details", wide: true, cell: ({ text }) => text },
              { name: "Since", cell: ({ since }) => Format.ago(since, at) }
            ]}
          />
        )}
    </>
  )
}
