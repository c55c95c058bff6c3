import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Policies from "../core/policies.ts"
import * as Route from "../core/route.ts"
import { Badge } from "./Badge.tsx"
import { Link } from "./Link.tsx"
import { QueryResponse } from "./QueryResponse.tsx"
import { Table } from "./Table.tsx"

/** The policies that apply to a topic or a channel, and where they come from. */
export const InForce = ({ channel, topic }: { readonly topic: string; readonly channel?: string }) => (
  <QueryResponse
    of={AdminClient.query("policies", "inForce", {
      params: { topic },
      query: channel === undefined ? {} : { channel }
    })}
    early={null}
  >
    {({ nodes }) => {
      const rows = Policies.inForce(nodes)
      if (nodes.every(({ fields }) => fields === null)) return null
      const isComplete = nodes.every(({ error }) => error === "")
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
    }}
  </QueryResponse>
)
