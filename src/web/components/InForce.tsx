import type { InForceOnNode } from "../../protocol/http/admin/AdminStorage.ts"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Policies from "../core/policies.ts"
import * as Route from "../core/route.ts"
import { usePoints } from "../live/points.ts"
import { Badge } from "./Badge.tsx"
import { Link } from "./Link.tsx"
import { NotYet } from "./Notice.tsx"
import { promptly, PromptResponse } from "./PromptResponse.tsx"
import { Table } from "./Table.tsx"

const Rows = ({ isComplete, nodes }: {
  readonly nodes: ReadonlyArray<InForceOnNode>
  /** Whether all nsqds are among the nodes. */
  readonly isComplete: boolean
}) => {
  const rows = Policies.inForce(nodes)
  if (nodes.every(({ fields }) => fields === null)) return null
  if (rows.length === 0) {
    return (
      <p className="muted">
        No policy applies{isComplete ? "" : " on the nsqds that respond"}. See{" "}
        <Link to={Route.policies}>Policies</Link>.
      </p>
    )
  }
  return (
    <Table<Policies.InForceRow>
      caption="Policy in force"
      rows={rows.map((row) => [`${row.field} ${row.value} ${row.match} ${row.source}`, row])}
      columns={[
        { name: "Field", cell: ({ field }) => <code>{field}</code> },
        { name: "Value", cell: ({ value }) => value },
        { name: "From", cell: ({ match }) => <Link to={Route.policies}>{match}</Link> },
        { name: "Set by", cell: ({ source }) => source === "api" ? "API" : "options of nsqd" },
        {
          name: "nsqds",
          wide: true,
          cell: ({ differs, nodes: having }) =>
            differs
              ? (
                <Badge kind="warning" title={having.join(", ")}>
                  only on {Format.quantity(having.length, "node")}
                </Badge>
              )
              : isComplete
              ? "all"
              : "all that respond"
        }
      ]}
    />
  )
}

/** The policies that apply to a topic or a channel, and where they come from. */
export const InForce = ({ channel, topic }: { readonly topic: string; readonly channel?: string }) => {
  const params = { topic }
  const subject = channel === undefined ? {} : { channel }
  const hosts = usePoints(topic).on("").map(({ node }) => node)
  return (
    <PromptResponse
      prompt={AdminClient.query("policies", "inForce", { params, query: { ...subject, timeout: promptly } })}
      all={AdminClient.query("policies", "inForce", { params, query: subject })}
      early={null}
    >
      {({ message, nodes }, isFinal) => (
        <>
          {!isFinal && <NotYet nodes={Policies.pending(nodes, hosts)} what="policies in force" />}
          <Rows nodes={nodes} isComplete={message === ""} />
        </>
      )}
    </PromptResponse>
  )
}
